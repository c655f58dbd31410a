"""`cwic batch`: code very many pictures, on one machine or many, from and to any place that fsspec reaches.

    source --listing--> index --manifest--> shards --shard (one task each)--> outputs, then results

This room depends neither on the codec nor on the command line, which gives it a `Coder`. Packages of the extra
`cluster` are imported only where they are used.
"""
