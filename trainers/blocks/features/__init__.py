"""Image features: banks of views, the cache on disk, several devices."""
