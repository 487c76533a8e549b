"""HTTP over operations/: the API. No Redis command stands here, and no rule of workflows."""
