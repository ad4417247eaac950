"""`python -m camerapose.cli`."""

import sys

from camerapose.cli.main import main

sys.exit(main())
