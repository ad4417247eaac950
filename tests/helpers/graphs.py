"""ONNX graphs in place of trained weights."""

#: A graph that honours what `Predictor` expects: everybody is flat, faces the camera and is as
#: large as a standing adult. So its reprojection is exact, and depth is scale over size.
FLAT = """
<ir_version: 8, opset_import: ["": 17]>
flat (float[n,16,2] pose2d, float[n,16] confidence)
  => (float[n,16,2] refined2d, float[n,16,3] pose3d, float[n,2] focal, float[n,2] center,
      float[n,3] translation, float[n,16,2] reprojection)
{
  zero = Constant <value = float {0.0}> ()
  one = Constant <value = float {1.0}> ()
  two = Constant <value = float {2.0}> ()
  least = Constant <value = float {0.001}> ()
  scale = Constant <value = float {1.1}> ()
  axis1 = Constant <value = int64[1] {1}> ()
  axis2 = Constant <value = int64[1] {2}> ()
  axes = Constant <value = int64[2] {1, 2}> ()
  start = Constant <value = int64[1] {0}> ()
  first = Constant <value = int64 {0}> ()
  seen = Greater (confidence, zero)
  shown = Unsqueeze (seen, axis2)
  mask = Cast <to = 1> (shown)
  total = ReduceSum (mask, axes)
  count = Max (total, one)
  kept = Mul (pose2d, mask)
  sums = ReduceSum (kept, axis1)
  place = Div (sums, count)
  refined2d = Where (shown, pose2d, place)
  off = Sub (refined2d, place)
  square = Mul (off, off)
  spread = ReduceSum (square, axes)
  variance = Div (spread, count)
  deviation = Sqrt (variance)
  size = Max (deviation, least)
  depth = Div (scale, size)
  wide = Mul (refined2d, depth)
  across = Div (wide, two)
  nothing = Mul (mask, zero)
  far = Add (nothing, depth)
  pose3d = Concat <axis = 2> (across, far)
  translation = Gather <axis = 1> (pose3d, first)
  ground = Slice (translation, start, axis2, axis1)
  center = Mul (ground, zero)
  focal = Add (center, two)
  reprojection = Identity (refined2d)
}
"""
