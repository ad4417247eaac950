"""Read TRC and MOT with OpenSim, scale the model and solve inverse kinematics; print JSON.

Run by test_interop.py with a Python that has opensim: opensim_tools.py FOLDER NAME.
"""

import json
import os
import sys

import numpy as np
import opensim

opensim.Logger.setLevelString("error")
os.chdir(sys.argv[1])
name = sys.argv[2]
markers = opensim.TimeSeriesTableVec3(f"gaps_{name}.trc")
opensim.ScaleTool(f"{name}.scale.xml").run()
solved = opensim.InverseKinematicsTool(f"{name}.ik.xml").run()


def columns(path):
    table = opensim.TimeSeriesTable(path)
    times = np.array(table.getIndependentColumn())
    return times, {
        label: table.getDependentColumn(label).to_numpy() for label in table.getColumnLabels()
    }


times, found = columns(f"{name}_ik.mot")
own_times, own = columns(f"{name}.mot")
differences = {}
for name in ("knee_angle", "hip_flexion", "hip_adduction", "arm_flex", "arm_add", "elbow_flex"):
    for label in (f"{name}_r", f"{name}_l"):
        difference = np.interp(own_times, times, found[label]) - own[label]
        differences[label] = float(np.abs((difference + 180) % 360 - 180).mean())
result = {
    "solved": bool(solved), "rows": markers.getNumRows(),
    "missing": int(sum(np.isnan(markers.getRowAtIndex(i).getElt(0, 0).to_numpy()).any()
                       for i in range(markers.getNumRows()))),
    "differences": differences,
}  # fmt: skip
print("RESULT " + json.dumps(result))
