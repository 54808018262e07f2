"""``python -m ser_core.cli`` is `ser`."""

from ser_core.cli import main

main()
