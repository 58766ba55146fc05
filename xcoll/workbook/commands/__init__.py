"""One module a command: its `HELP`, `arguments(parser)`, and `call(options)`, its exit code.

Nothing heavy is imported before `call`, so that help answers at once.
"""
