// The video or the images of the report, with the projected poses drawn on top.

class Media {
  constructor(container, data, people) {
    this.data = data;
    this.people = people;
    this.container = container;
    this.canvas = container.querySelector("canvas");
    this.element = this.create(data.media);
    if (this.element) container.prepend(this.element);
    this.drawn = true;
  }

  create(media) {
    if (!media) return null;
    if (media.kind === "images") {
      const image = new Image();
      image.alt = "";
      return image;
    }
    const video = document.createElement("video");
    Object.assign(video, { muted: true, playsInline: true, preload: "auto" });
    const blob = new Blob([decode(media.data)], { type: media.type });
    video.src = URL.createObjectURL(blob);
    return video;
  }

  /** Return a texture of the image plane that follows the video or the image. */
  texture() {
    if (!this.element) return null;
    if (this.element.tagName === "VIDEO") return new lib.VideoTexture(this.element);
    const texture = new lib.Texture(this.element);
    this.element.addEventListener("load", () => {
      texture.dispose(); // the next image may have another size
      texture.needsUpdate = true;
    });
    return texture;
  }

  show(time) {
    const { interval } = this.data;
    const rows = this.people.map((person) => person.row(time, interval));
    const first = rows.findIndex((row) => row >= 0);
    if (first >= 0) {
      const aspect = this.people[first].view(rows[first])[4];
      this.container.style.aspectRatio = `1 / ${aspect}`;
    }
    if (this.data.media && this.data.media.kind === "images") this.showImage(time);
    this.draw(rows);
  }

  showImage(time) {
    const { images } = this.data.media;
    const near = images.reduce((a, b) => (Math.abs(b.time - time) < Math.abs(a.time - time) ? b : a));
    if (this.current !== near) this.element.src = near.source;
    this.current = near;
  }

  draw(rows) {
    const { width, height } = this.container.getBoundingClientRect();
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const size = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== size[0]) this.canvas.width = size[0];
    if (this.canvas.height !== size[1]) this.canvas.height = size[1];
    const context = this.canvas.getContext("2d");
    context.clearRect(0, 0, ...size);
    if (!this.drawn) return;
    rows.forEach((row, i) => row >= 0 && this.drawPerson(context, this.people[i], row, size));
  }

  drawPerson(context, person, row, [width, height]) {
    const { bones, bone_sides } = this.data.skeleton;
    const ends = [[0, 0, 0], [0, 0, 0]];
    context.lineCap = "round";
    for (const outline of [true, false]) {
      bones.forEach((bone, b) => {
        const hidden = bone.some((joint) => person.isHidden(row, joint));
        const [from, to] = bone.map((joint, k) => person.project(row, joint, ends[k]));
        context.globalAlpha = hidden ? 0.35 : 1;
        context.lineWidth = Math.max(2, width / 190) * (outline ? 1.8 : 1);
        context.strokeStyle = outline ? "rgba(255,255,255,.75)" : person.colors[bone_sides[b]];
        context.beginPath();
        context.moveTo(from[0] * width, from[1] * height);
        context.lineTo(to[0] * width, to[1] * height);
        context.stroke();
      });
    }
    context.globalAlpha = 1;
  }
}
