"""The codecs of the bench: cwic's models, and real encoders beside them."""
