// Decode the data of the report and find the poses that are visible at a time.

/** Return the bytes of a base64 text. */
function decode(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

function floats(text) {
  return new Float32Array(decode(text).buffer);
}

/** Poses of one person; times in increasing order. */
class Person {
  constructor(packed, joints) {
    Object.assign(this, packed);
    this.joints = joints;
    this.time = floats(packed.time);
    this.points = new Int16Array(decode(packed.points).buffer);
    this.hidden = decode(packed.hidden);
    this.std = packed.std ? new Uint16Array(decode(packed.std).buffer) : null; // millimetres
    this.camera = floats(packed.camera);
    this.panels = packed.panels.map((panel) => ({
      ...panel,
      lines: panel.lines.map((line) => ({
        ...line,
        values: floats(line.values),
        std: line.std ? floats(line.std) : null,
      })),
    }));
  }

  /** Return the last row that is not later than a time; -1 before the first row. */
  before(time) {
    let low = -1;
    let high = this.time.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.time[middle] <= time + 1e-4) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Return the row that is shown at a time; -1 while the person is not detected. */
  row(time, interval) {
    const row = this.before(time);
    return row >= 0 && time - this.time[row] < 1.5 * interval ? row : -1;
  }

  /** Write a joint (x right, y down, z forward, metres) into an array of three numbers. */
  point(row, joint, out) {
    const start = 3 * (row * this.joints + joint);
    for (let i = 0; i < 3; i++) out[i] = this.points[start + i] * this.scale;
    return out;
  }

  isHidden(row, joint) {
    return this.hidden[row * this.joints + joint] !== 0;
  }

  /** Return focal length and principal point (normalised), and height / width of the image. */
  view(row) {
    return Array.from(this.camera.subarray(5 * row, 5 * row + 5));
  }

  /** Project a joint: fractions of the image's width and height. */
  project(row, joint, out) {
    const [fx, fy, cx, cy, aspect] = this.view(row);
    this.point(row, joint, out);
    const depth = Math.max(out[2], 0.05);
    out[0] = ((out[0] / depth) * fx + cx + 1) / 2;
    out[1] = ((out[1] / depth) * fy + cy + aspect) / (2 * aspect);
    return out;
  }
}

/** A clock, or the video if there is one; calls `show(time)` whenever the time changes. */
class Player {
  constructor(data, video) {
    this.start = data.start;
    this.end = data.end;
    this.rate = data.rate; // units of time per second
    this.video = video;
    this.offset = data.media ? data.media.offset || 0 : 0;
    this.speed = 1;
    this.playing = false;
    this.time = data.start;
    this.listeners = [];
    if (video) this.follow(video);
  }

  onChange(listener) {
    this.listeners.push(listener);
  }

  notify() {
    for (const listener of this.listeners) listener(this.time);
  }

  /** The video determines the time, whoever plays or moves it. */
  follow(video) {
    const update = () => this.set(video.currentTime + this.offset);
    for (const name of ["seeked", "timeupdate"]) video.addEventListener(name, update);
    video.addEventListener("play", () => this.state(true));
    video.addEventListener("pause", () => this.state(false));
    video.addEventListener("ended", () => this.state(false));
    if (video.requestVideoFrameCallback) {
      const shown = (now, frame) => {
        this.set(frame.mediaTime + this.offset);
        video.requestVideoFrameCallback(shown);
      };
      video.requestVideoFrameCallback(shown);
    }
  }

  state(playing) {
    this.playing = playing;
    this.notify();
  }

  set(time) {
    this.time = Math.min(Math.max(time, this.start), this.end);
    this.notify();
  }

  seek(time) {
    if (this.video) this.video.currentTime = Math.max(0, time - this.offset) + 1e-3;
    this.set(time);
  }

  setSpeed(speed) {
    this.speed = speed;
    if (this.video) this.video.playbackRate = speed;
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  pause() {
    if (this.video) this.video.pause();
    else this.state(false);
  }

  play() {
    if (this.time >= this.end - 1e-3) this.seek(this.start);
    if (this.video) {
      this.video.playbackRate = this.speed;
      const started = this.video.play();
      if (started) started.catch(() => this.state(false));
      return;
    }
    this.state(true);
    let last = performance.now();
    const step = (now) => {
      if (!this.playing) return;
      this.set(this.time + ((now - last) / 1000) * this.speed * this.rate);
      last = now;
      if (this.time >= this.end) this.state(false);
      else requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }
}
