"""The codecs that are measured: cwic's models, and real encoders beside them."""
