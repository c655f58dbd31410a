"""Models: what there is, how it is put together, where its weights are."""
