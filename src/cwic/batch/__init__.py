"""`cwic batch`: more pictures than one machine codes, from and to any place that fsspec reaches.

    source --listing--> index --manifest--> shards --shard (one task each)--> outputs, then results

It knows nothing of the command line, which gives it a `Coder`, and nothing of the codec. Packages of the extra
`cluster` are loaded where they are used.
"""
