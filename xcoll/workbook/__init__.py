"""The only floor that knows files, clocks, papermill and pictures."""
