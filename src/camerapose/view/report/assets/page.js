// Connect the data, the video, the scene, the curves and the controls of the page.

function main() {
  const data = JSON.parse(document.getElementById("data").textContent);
  const find = (selector) => document.querySelector(selector);
  const people = data.people.map((packed) => new Person(packed, data.skeleton.joints.length));
  const media = new Media(find("#media"), data, people);
  const video = media.element && media.element.tagName === "VIDEO" ? media.element : null;
  const player = new Player(data, video);
  const scene = makeScene(find, data, people, media);
  const charts = new Charts(find("#charts"), data, player);
  charts.show(people[0]);
  player.onChange((time) => {
    media.show(time);
    if (scene) scene.show(time);
  });
  connectPlayer(find, data, player, media);
  connectOptions(find, data, player, media, scene);
  connectPeople(find, people, charts);
  const resize = () => {
    if (scene) scene.resize();
    media.show(player.time);
  };
  new ResizeObserver(resize).observe(find("#views"));
  new ResizeObserver(resize).observe(find("#media"));
  player.notify();
  window.report = { data, people, player, scene, media, charts };
}

/** Return the 3D scene; null with a message where the browser has no WebGL. */
function makeScene(find, data, people, media) {
  try {
    const elements = [...document.querySelectorAll(".view > div")];
    const scene = new SceneView(find("#views canvas"), elements, data, people);
    const texture = media.texture();
    if (texture) scene.frustum.setTexture(texture);
    return scene;
  } catch (error) {
    find("#views").textContent = `The 3D view requires WebGL, which this browser does not offer (${error.message}).`;
    return null;
  }
}

function connectPlayer(find, data, player, media) {
  const slider = find("#time");
  const button = find("#play");
  const seconds = data.unit === "seconds";
  Object.assign(slider, { min: data.start, max: data.end, step: "any", value: data.start });
  slider.addEventListener("input", () => {
    player.pause();
    player.seek(Number(slider.value));
  });
  button.addEventListener("click", () => player.toggle());
  find("#media").addEventListener("click", () => player.toggle());
  find("#speed").addEventListener("change", (event) => player.setSpeed(Number(event.target.value)));
  document.addEventListener("keydown", (event) => {
    if (["INPUT", "SELECT", "BUTTON"].includes(event.target.tagName)) return;
    const step = { ArrowLeft: -data.interval, ArrowRight: data.interval }[event.key];
    if (event.key === " ") player.toggle();
    else if (step) player.seek(Math.min(Math.max(player.time + step, data.start), data.end));
    else return;
    event.preventDefault();
  });
  player.onChange((time) => {
    slider.value = time;
    button.textContent = player.playing ? "Pause" : "Play";
    find("#clock").textContent = seconds ? `${time.toFixed(2)} s` : `frame ${Math.round(time)}`;
  });
  find("#player").hidden = data.end <= data.start;
}

function connectOptions(find, data, player, media, scene) {
  const option = (name, change) => {
    const input = find(`#${name}`);
    input.addEventListener("change", () => {
      change(input.type === "checkbox" ? input.checked : input.value);
      player.notify();
    });
    return input;
  };
  option("drawn", (checked) => (media.drawn = checked));
  if (!scene) return;
  option("follow", (checked) => (scene.follow = checked));
  option("plane", (checked) => (scene.frustum.group.visible = checked));
  const clouds = option("std", (checked) => scene.figures.forEach((figure) =>
    figure.clouds.forEach((cloud) => (cloud.visible = checked))));
  clouds.parentElement.hidden = !data.people.some((person) => person.std);
  const gravity = option("gravity", (checked) => scene.setAligned(checked));
  gravity.checked = scene.aligned;
  gravity.parentElement.hidden = !data.ground;
  const trails = option("trails", (names) => scene.setTrails(names ? names.split(" ") : []));
  scene.setTrails(trails.value ? trails.value.split(" ") : []);
  document.querySelectorAll(".view").forEach((box, i) => {
    const select = box.querySelector("select");
    const view = scene.views[i];
    select.value = view.name;
    const place = () => {
      view.place(select.value, scene);
      scene.request();
    };
    select.addEventListener("change", place);
    box.querySelector("div").addEventListener("dblclick", place);
    box.querySelectorAll("button").forEach((button) =>
      button.addEventListener("click", () => {
        const factor = button.name === "in" ? 0.8 : 1.25;
        view.camera.position.sub(view.controls.target).multiplyScalar(factor).add(view.controls.target);
        view.controls.update();
      }));
  });
}

function connectPeople(find, people, charts) {
  const group = find("#people");
  group.hidden = people.length < 2;
  people.forEach((person, i) => {
    const button = document.createElement("button");
    button.textContent = `Person ${person.number}`;
    button.style.setProperty("--color", person.colors[2]);
    button.setAttribute("aria-pressed", i === 0);
    button.addEventListener("click", () => {
      charts.show(person);
      [...group.children].forEach((other) => other.setAttribute("aria-pressed", other === button));
    });
    group.append(button);
  });
}

main();
