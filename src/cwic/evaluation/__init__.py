"""The bench: rate and distortion of cwic and other codecs, measured in real file bytes."""
