"""Wing B: rate and distortion of cwic and its peers, measured in real file bytes."""
