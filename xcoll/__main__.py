"""`python -m xcoll`."""

import sys

from xcoll.workbook.cli import main

sys.exit(main())
