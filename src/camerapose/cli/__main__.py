"""`python -m camerapose.cli`."""

import sys

from camerapose.cli import main

sys.exit(main())
