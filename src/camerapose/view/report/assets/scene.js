// The 3D scene of all people on a floor, in two views.

const FLOOR = "#f4f5f8";
// Azimuth and elevation of the viewer, degrees.
const VIEWS = { angle: [-35, 16], front: [0, 8], side: [80, 8], top: [0, 89.9], all: [-50, 25] };

/** One rectangle of the page that shows the scene from a direction. */
class View {
  constructor(element, name) {
    this.element = element;
    this.camera = new lib.PerspectiveCamera(35, 1, 0.05, 500);
    this.controls = new lib.OrbitControls(this.camera, element);
    this.controls.enableDamping = false;
    this.controls.maxPolarAngle = Math.PI * 0.98;
    element.style.touchAction = "pan-y"; // one finger scrolls the page
    // The wheel scrolls the page; it zooms together with Ctrl, which is also what pinching sends.
    element.addEventListener(
      "wheel", (event) => event.ctrlKey || event.metaKey || event.stopImmediatePropagation(),
      { capture: true, passive: true },
    );
    this.name = name;
  }

  /** Place the viewer so that all people, for "all" also the camera, fill the view. */
  place(name, scene) {
    this.name = name;
    const fov = name === "camera" ? scene.fieldOfView(this.camera.aspect) : 35;
    this.camera.fov = fov;
    if (name === "camera") {
      scene.cameraPlace(this.camera.position);
      this.controls.target.copy(scene.cameraTarget());
    } else {
      const box = scene.box(name === "all");
      const [azimuth, elevation] = (VIEWS[name] || VIEWS.angle).map((x) => (x * Math.PI) / 180);
      const back = new lib.Vector3(
        Math.sin(azimuth) * Math.cos(elevation), Math.sin(elevation),
        Math.cos(azimuth) * Math.cos(elevation),
      );
      const distance = fit(box, back, Math.tan((fov * Math.PI) / 360), this.camera.aspect);
      this.controls.target.copy(box.center);
      this.camera.position.copy(back).multiplyScalar(distance).add(box.center);
    }
    this.camera.updateProjectionMatrix();
    this.controls.update();
  }

  /** Move with a person. */
  shift(offset) {
    this.camera.position.add(offset);
    this.controls.target.add(offset);
    this.controls.update();
  }
}

/** Return the distance from the centre of a box at which the box fits into a view. */
function fit({ center, half }, back, tangent, aspect) {
  const right = new lib.Vector3(0, 1, 0).cross(back).normalize();
  const up = new lib.Vector3().crossVectors(back, right);
  let distance = 0;
  for (let i = 0; i < 8; i++) {
    const sign = (bit) => (i & bit ? 1 : -1);
    const corner = new lib.Vector3(half.x * sign(1), half.y * sign(2), half.z * sign(4));
    const width = Math.abs(corner.dot(right)) / (tangent * aspect);
    const height = Math.abs(corner.dot(up)) / tangent;
    distance = Math.max(distance, Math.max(width, height) + corner.dot(back));
  }
  return 1.06 * distance;
}

/** The renderer, the objects and the views. */
class SceneView {
  constructor(canvas, elements, data, people) {
    this.data = data;
    this.people = people;
    this.canvas = canvas;
    this.renderer = new lib.WebGLRenderer({ canvas, antialias: true, preserveDrawingBuffer: true });
    this.renderer.setScissorTest(true);
    this.scene = new lib.Scene();
    this.scene.background = new lib.Color("#ffffff");
    this.world = new lib.Group(); // camera frame
    this.world.matrixAutoUpdate = false;
    this.scene.add(this.world, new lib.HemisphereLight("#ffffff", "#9aa3b2", 2.2));
    const sun = new lib.DirectionalLight("#ffffff", 1.2);
    sun.position.set(2, 5, 3);
    this.scene.add(sun);
    const label = people.length > 1;
    this.figures = people.map((p) => new Figure(p, data.skeleton, label ? String(p.number) : ""));
    this.frustum = new Frustum(data.plane_depth);
    this.world.add(this.frustum.group, ...this.figures.map((figure) => figure.group));
    this.trails = [];
    this.shadow = new lib.LineSegments(
      new lib.BufferGeometry(), new lib.LineBasicMaterial({ color: "#aeb5c2" }),
    );
    this.shadow.frustumCulled = false;
    this.scene.add(this.shadow);
    this.follow = false;
    this.aligned = false;
    this.setAligned(data.aligned);
    this.views = elements.map((element, i) => new View(element, i ? "all" : "angle"));
    this.views.forEach((view) => view.controls.addEventListener("change", () => this.request()));
    this.resize();
    this.views.forEach((view) => view.place(view.name, this));
  }

  /** Use the estimated direction of gravity as the vertical, or that of the image. */
  setAligned(aligned) {
    this.aligned = Boolean(aligned && this.data.ground);
    const a = this.aligned ? this.data.ground.axes : [1, 0, 0, 0, -1, 0, 0, 0, -1];
    const height = this.aligned ? this.data.ground.height : this.data.floor;
    this.world.matrix.set(a[0], a[1], a[2], 0, a[3], a[4], a[5], height, a[6], a[7], a[8], 0, 0, 0, 0, 1);
    this.world.updateMatrixWorld(true);
    this.measure();
    if (this.views) this.views.forEach((view) => view.place(view.name, this));
  }

  /** Measure the space of the people, and lay out the floor. */
  measure() {
    const axes = [[], [], []];
    const place = new lib.Vector3();
    for (const person of this.people) {
      const step = Math.max(1, Math.floor(person.time.length / 100));
      for (let row = 0; row < person.time.length; row += step) {
        for (let j = 0; j < person.joints; j++) {
          place.fromArray(person.point(row, j, [0, 0, 0])).applyMatrix4(this.world.matrix);
          place.toArray().forEach((value, i) => axes[i].push(value));
        }
      }
    }
    const range = axes.map((values) => {
      values.sort((a, b) => a - b);
      const at = (share) => values[Math.round(share * (values.length - 1))];
      return [at(0.01), at(0.99)];
    });
    const center = new lib.Vector3(...range.map(([low, high]) => (low + high) / 2));
    const size = new lib.Vector3(...range.map(([low, high]) => high - low));
    const half = size.clone().multiplyScalar(0.5).addScalar(0.15).max(new lib.Vector3(0.6, 0.6, 0.6));
    this.people_box = { center, half };
    this.scene.remove(this.grid, this.plane);
    const width = Math.min(60, 2 * Math.ceil(Math.max(size.x, size.z) / 2 + 1));
    const cells = width / (width > 16 ? 1 : 0.5);
    this.grid = new lib.GridHelper(width, cells, "#c3c9d4", "#dfe3e9");
    const material = new lib.MeshBasicMaterial({ color: FLOOR, side: lib.DoubleSide });
    this.plane = new lib.Mesh(new lib.PlaneGeometry(width, width), material);
    this.plane.rotation.x = -Math.PI / 2;
    for (const [object, y] of [[this.grid, 0], [this.plane, -0.004]]) {
      object.position.set(Math.round(center.x), y, Math.round(center.z));
      this.scene.add(object);
    }
  }

  cameraPlace(out) {
    return out.setFromMatrixPosition(this.world.matrix);
  }

  cameraTarget() {
    const person = this.people[0];
    const point = person.point(0, this.data.skeleton.root, [0, 0, 0]);
    return new lib.Vector3(0, 0, Math.max(1, point[2])).applyMatrix4(this.world.matrix);
  }

  fieldOfView(aspect) {
    const [fx, fy, , , ratio] = this.people[0].view(0);
    const horizontal = 1 / fx / Math.max(aspect, 0.1);
    return (360 / Math.PI) * Math.atan(Math.max(ratio / fy, horizontal));
  }

  /** Return centre and half size of the space of the people, and of the camera. */
  box(with_camera) {
    const { center, half } = this.people_box;
    if (!with_camera) return this.people_box;
    const eye = this.cameraPlace(new lib.Vector3());
    const low = center.clone().sub(half).min(eye);
    const high = center.clone().add(half).max(eye);
    return {
      center: low.clone().add(high).multiplyScalar(0.5),
      half: high.sub(low).multiplyScalar(0.5).addScalar(0.2),
    };
  }

  setTrails(names) {
    for (const trail of this.trails) {
      this.world.remove(trail.line);
      trail.geometry.dispose();
    }
    const { joints, joint_sides } = this.data.skeleton;
    const length = this.data.unit === "seconds" ? 2 : 20;
    this.trails = this.people.flatMap((person) =>
      joints.map((name, j) => [name, j])
        .filter(([name]) => names.some((part) => name === part || name.endsWith(`_${part}`)))
        .map(([, j]) => new Trail(person, j, person.colors[joint_sides[j]], length)));
    this.trails.forEach((trail) => this.world.add(trail.line));
  }

  show(time) {
    const { interval } = this.data;
    const rows = this.people.map((person) => person.row(time, interval));
    this.figures.forEach((figure, i) => figure.show(rows[i]));
    this.trails.forEach((trail) => trail.show(time, interval));
    const first = rows.findIndex((row) => row >= 0);
    if (first >= 0) this.frustum.show(this.people[first].view(rows[first]));
    this.drawShadow(rows);
    this.followPeople(rows);
    this.request();
  }

  drawShadow(rows) {
    const ends = [];
    const place = new lib.Vector3();
    rows.forEach((row, i) => {
      if (row < 0) return;
      for (const bone of this.data.skeleton.bones) {
        for (const joint of bone) {
          place.fromArray(this.people[i].point(row, joint, [0, 0, 0])).applyMatrix4(this.world.matrix);
          ends.push(place.x, 0.004, place.z);
        }
      }
    });
    this.shadow.geometry.setAttribute("position", new lib.BufferAttribute(new Float32Array(ends), 3));
  }

  followPeople(rows) {
    const root = this.data.skeleton.root;
    const place = new lib.Vector3();
    const mean = new lib.Vector3();
    let count = 0;
    rows.forEach((row, i) => {
      if (row < 0) return;
      mean.add(place.fromArray(this.people[i].point(row, root, [0, 0, 0])).applyMatrix4(this.world.matrix));
      count += 1;
    });
    if (!count) return;
    mean.divideScalar(count).setY(0);
    if (this.follow && this.center) {
      const offset = mean.clone().sub(this.center);
      if (offset.length() < 1.5) this.views.forEach((view) => view.shift(offset));
    }
    this.center = mean;
  }

  resize() {
    const box = this.canvas.parentElement.getBoundingClientRect();
    this.renderer.setPixelRatio(Math.min(window.devicePixelRatio || 1, 2));
    this.renderer.setSize(box.width, box.height, false);
    this.request();
  }

  request() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      this.render();
    });
  }

  render() {
    const whole = this.canvas.getBoundingClientRect();
    for (const view of this.views) {
      const box = view.element.getBoundingClientRect();
      if (!box.width || !box.height) continue;
      const left = box.left - whole.left;
      const bottom = whole.bottom - box.bottom;
      const aspect = box.width / box.height;
      if (Math.abs(view.camera.aspect - aspect) > 1e-3) {
        const first = view.camera.aspect === 1 && !view.sized;
        view.camera.aspect = aspect;
        view.camera.updateProjectionMatrix();
        view.sized = true;
        if (first) view.place(view.name, this);
      }
      // People are behind the image plane, which is transparent in the view of the camera.
      const image = this.frustum.image;
      image.opacity = view.name === "camera" ? 0.45 : image.map ? 0.95 : 0.35;
      this.renderer.setViewport(left, bottom, box.width, box.height);
      this.renderer.setScissor(left, bottom, box.width, box.height);
      this.renderer.render(this.scene, view.camera);
    }
  }
}
