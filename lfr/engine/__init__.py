"""The engine: (flow, progress, result of a step) -> transition. Pure: no Redis, no clock, no randomness.

`advance` is the algorithm. It may return a `LoadRequest`: load that and call it again. `waits` and `latches`
decide likewise what ends the steps that wait.
"""
