// Objects of the 3D scene: people, trails, and the camera with its image plane.

const FADED = 0.22;

/** Bones and joints of one person. */
class Figure {
  constructor(person, skeleton, label) {
    const { Group, Mesh, MeshLambertMaterial, CylinderGeometry, SphereGeometry } = lib;
    this.person = person;
    this.skeleton = skeleton;
    this.group = new Group();
    const material = (color, opacity) =>
      new MeshLambertMaterial({ color, transparent: opacity < 1, opacity, depthWrite: opacity === 1 });
    this.materials = person.colors.map((color) => [material(color, 1), material(color, FADED)]);
    const tube = new CylinderGeometry(0.032, 0.032, 1, 10);
    const ball = new SphereGeometry(1, 16, 12);
    this.bones = skeleton.bones.map(() => new Mesh(tube));
    this.balls = skeleton.joints.map((name) => {
      const mesh = new Mesh(ball);
      const size = name === "head" ? 0.095 : name === "nose" || /eye|ear/.test(name) ? 0.02 : 0.042;
      mesh.scale.setScalar(size);
      return mesh;
    });
    this.group.add(...this.bones, ...this.balls);
    // Balls with a radius of one standard deviation.
    const cloud = new lib.MeshBasicMaterial({
      color: "#e6a700", transparent: true, opacity: 0.18, depthWrite: false,
    });
    this.clouds = person.std ? skeleton.joints.map(() => new Mesh(ball, cloud)) : [];
    if (this.clouds.length) this.group.add(...this.clouds);
    if (label) this.group.add((this.label = makeLabel(label, person.colors[2])));
    this.places = skeleton.joints.map(() => new lib.Vector3());
    this.up = new lib.Vector3(0, 1, 0);
    this.direction = new lib.Vector3();
  }

  show(row) {
    this.group.visible = row >= 0;
    if (row < 0) return;
    const point = [0, 0, 0];
    this.places.forEach((place, j) => {
      place.fromArray(this.person.point(row, j, point));
      this.balls[j].position.copy(place);
      if (this.clouds[j]) {
        this.clouds[j].position.copy(place);
        this.clouds[j].scale.setScalar(this.person.std[row * this.person.joints + j] / 1000 || 1e-4);
      }
      const hidden = this.person.isHidden(row, j);
      this.balls[j].material = this.materials[this.skeleton.joint_sides[j]][hidden ? 1 : 0];
    });
    this.skeleton.bones.forEach(([child, parent], b) => {
      const mesh = this.bones[b];
      this.direction.subVectors(this.places[child], this.places[parent]);
      const length = Math.max(this.direction.length(), 1e-4);
      mesh.position.addVectors(this.places[child], this.places[parent]).multiplyScalar(0.5);
      mesh.scale.set(1, length, 1);
      mesh.quaternion.setFromUnitVectors(this.up, this.direction.divideScalar(length));
      const hidden = this.person.isHidden(row, child) || this.person.isHidden(row, parent);
      mesh.material = this.materials[this.skeleton.bone_sides[b]][hidden ? 1 : 0];
    });
    if (this.label) {
      const head = this.skeleton.joints.indexOf("head");
      const top = this.places[head < 0 ? 0 : head];
      this.label.position.set(top.x, top.y - 0.3, top.z);
    }
  }
}

/** Return a sprite with a short text. */
function makeLabel(text, color) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 64;
  const draw = canvas.getContext("2d");
  draw.font = "600 44px system-ui, sans-serif";
  draw.textAlign = "center";
  draw.textBaseline = "middle";
  draw.lineWidth = 8;
  draw.strokeStyle = "white";
  draw.strokeText(text, 32, 34);
  draw.fillStyle = color;
  draw.fillText(text, 32, 34);
  const map = new lib.CanvasTexture(canvas);
  map.colorSpace = lib.SRGBColorSpace;
  const sprite = new lib.Sprite(new lib.SpriteMaterial({ map, depthTest: false, sizeAttenuation: false }));
  sprite.scale.setScalar(0.05);
  return sprite;
}

/** The paths of some joints of a person during the last seconds. */
class Trail {
  constructor(person, joint, color, length) {
    this.person = person;
    this.joint = joint;
    this.length = length;
    this.color = new lib.Color(color);
    this.geometry = new lib.BufferGeometry();
    const material = new lib.LineBasicMaterial({ vertexColors: true, transparent: true });
    this.line = new lib.Line(this.geometry, material);
    this.line.frustumCulled = false;
  }

  show(time, interval) {
    const last = this.person.before(time);
    const places = [];
    const colors = [];
    const point = [0, 0, 0];
    for (let row = last; row >= 0; row--) {
      const age = time - this.person.time[row];
      const gap = row < last && this.person.time[row + 1] - this.person.time[row] > 10 * interval;
      if (age > this.length || gap) break;
      places.push(...this.person.point(row, this.joint, point));
      colors.push(this.color.r, this.color.g, this.color.b, 1 - age / this.length);
    }
    this.line.visible = places.length > 3;
    this.geometry.setAttribute("position", new lib.BufferAttribute(new Float32Array(places), 3));
    this.geometry.setAttribute("color", new lib.BufferAttribute(new Float32Array(colors), 4));
  }
}

/** The camera as a pyramid, with the image on its plane; its tip is the origin. */
class Frustum {
  constructor(depth) {
    this.depth = depth;
    this.group = new lib.Group();
    this.edges = new lib.BufferGeometry();
    this.plane = new lib.BufferGeometry();
    this.plane.setAttribute("uv", new lib.BufferAttribute(new Float32Array([0, 1, 1, 1, 1, 0, 0, 0]), 2));
    this.plane.setIndex([0, 1, 2, 0, 2, 3]);
    const line = new lib.LineBasicMaterial({ color: "#5c6370" });
    this.image = new lib.MeshBasicMaterial({
      color: "#c9ced8", side: lib.DoubleSide, transparent: true, opacity: 0.35, depthWrite: false,
    });
    this.group.add(new lib.LineSegments(this.edges, line), new lib.Mesh(this.plane, this.image));
    this.group.children.forEach((child) => (child.frustumCulled = false));
  }

  setTexture(texture) {
    texture.colorSpace = lib.SRGBColorSpace;
    this.image.map = texture;
    this.image.color.set("#ffffff");
    this.image.opacity = 0.9;
    this.image.needsUpdate = true;
  }

  show([fx, fy, cx, cy, aspect]) {
    const d = this.depth;
    const corners = [[-1, -aspect], [1, -aspect], [1, aspect], [-1, aspect]]
      .map(([u, v]) => [((u - cx) / fx) * d, ((v - cy) / fy) * d, d]);
    const edges = [];
    corners.forEach((corner, i) => edges.push(0, 0, 0, ...corner, ...corner, ...corners[(i + 1) % 4]));
    this.edges.setAttribute("position", new lib.BufferAttribute(new Float32Array(edges), 3));
    this.plane.setAttribute("position", new lib.BufferAttribute(new Float32Array(corners.flat()), 3));
  }
}
