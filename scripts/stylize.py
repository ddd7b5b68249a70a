"""Render a picture in the style of others; see ``--help``. The installed command is ``neuralstyle``."""

import sys

from neuralstyle.command.main import main

sys.exit(main())
