// The page: what it shows, what it keeps, and what it asks the model.

import { Asker } from "./asker.js";
import { Pad } from "./pad.js";
import { isEmpty, ofFile, pixelsOf, show } from "./picture.js";
import {
  fresh, keep, picturesOf, restored, whenKeptElsewhere,
} from "./state.js";

const STEPS = [0, 1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 40, 50, 75, 100, 200];

const $ = (id) => document.getElementById(id);
const model = await (await fetch("model.json")).json();
const kind = model.pictures;
const steps = STEPS.filter((n) => n <= model.max_steps);
const thing = kind.ink ? "drawing" : "picture";

let state = restored(model);
let age = 0; // how often all was replaced: files read before are of before
let unkept = ""; // why the browser does not keep what is on the page
const cards = [];
const query = new Pad(kind, "What is this?", {
  changed: (drawing) => {
    state.query = query.picture;
    if (drawing) asker.ask();
    else changed();
  },
  age: () => age,
  files: (files, troubles) => {
    if (files.length) query.set(files.at(-1));
    query.change(false);
    warn(troubles);
  },
});
const asker = new Asker(model.predict, request, {
  busy: (whether) => $("answer").setAttribute("aria-busy", whether),
  answered,
  failed: fail,
});

/** Returns the place on the slider of the most steps that are not more. */
function placeOf(count) {
  return Math.max(0, steps.filter((n) => n <= count).length - 1);
}

/** Keeps what is on the page for the next time, and asks about it. */
function changed() {
  unkept = keep(state, model) ? "" :
    `The browser cannot keep these ${thing}s for the next time.`;
  warn([]);
  asker.ask();
}

/** Returns what to ask the model, or null if there is nothing to ask. */
function request() {
  const labels = [];
  const support = [];
  state.classes.forEach((one, label) => {
    for (const picture of picturesOf(one)) {
      support.push(picture);
      labels.push(label);
    }
  });
  const known = new Set(labels).size;
  if (known < 2 || isEmpty(state.query)) {
    showBars([]);
    const give = kind.ink ? "draw" : "choose";
    say(
      known < 2 ?
        `First ${give} at least one ${thing} of each of two classes.` :
        `Now ${give} a ${thing} to recognize.`,
    );
    return null;
  }
  const most = model.max_examples;
  if (support.length > most) {
    fail(`There are ${support.length} ${thing}s; the model takes ${most}.`);
    return null;
  }
  const count = steps[placeOf(state.steps)];
  const images = (list) => list.map((picture) => nested(pixelsOf(picture, kind)));
  return {
    count,
    examples: support.length,
    body: {
      signature_name: model.signature,
      inputs: {
        support_images: images(support),
        support_labels: labels,
        query_images: images([state.query]),
        steps: count,
      },
    },
  };
}

/** Returns bytes as lists of rows of pixels of channels. */
function nested(pixels) {
  let at = 0;
  const list = (n, each) => Array.from({ length: n }, each);
  return list(kind.height, () =>
    list(kind.width, () => list(kind.channels, () => pixels[at++])));
}

function answered(outputs, asked, seconds) {
  const [probabilities] = outputs.probabilities;
  showBars(probabilities);
  const best = probabilities.indexOf(Math.max(...probabilities));
  const of = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;
  say(
    `It is “${state.classes[best].name}”, with ` +
      `${(100 * probabilities[best]).toFixed(1)}%, after ` +
      `${of(asked.count, "inner step")} on ${of(asked.examples, thing)}. ` +
      `The answer took ${seconds.toFixed(2)} s.`,
  );
}

function showBars(probabilities) {
  const best = probabilities.indexOf(Math.max(...probabilities));
  [...$("bars").children].forEach((bar, i) => {
    const value = probabilities[i] ?? 0;
    const { name } = state.classes[i];
    bar.querySelector(".name").textContent = name;
    const meter = bar.querySelector("meter");
    meter.value = value;
    const percent = probabilities.length ? `${(100 * value).toFixed(1)}%` : "";
    bar.querySelector(".percent").textContent = percent;
    meter.textContent = percent;
    meter.setAttribute("aria-label", `${name}: ${percent || "not asked yet"}`);
    bar.classList.toggle("best", i === best);
    bar.classList.toggle("absent", !picturesOf(state.classes[i]).length);
  });
}

function say(message) {
  $("status").className = "";
  $("status").textContent = message;
}

function warn(messages) {
  $("trouble").textContent = [...messages, unkept].join(" ");
}

function fail(message) {
  showBars([]); // what they say is not of what is there now
  $("status").className = "failed";
  $("status").textContent = message;
}

/** Makes the card of a class, with its pad and the shelf of its pictures. */
function makeCard(index) {
  const root = $("class").content.cloneNode(true);
  const group = root.querySelector(".class");
  const name = root.querySelector(".name");
  const shelf = root.querySelector(".shelf");
  const one = () => state.classes[index];
  const pad = new Pad(kind, `Class ${index + 1}`, {
    changed: (drawing) => {
      one().pad = pad.picture;
      if (!drawing) changed(); // half a drawing teaches the wrong thing
    },
    add: () => putAway(),
    canUndo: () => one().shelf.length > 0,
    undo: () => {
      const last = one().shelf.pop();
      if (last && kind.ink) pad.set(last); // to be gone on with
      pad.change(false);
      draw();
    },
    age: () => age,
    files: (files, troubles) => {
      one().shelf.push(...files);
      draw();
      changed();
      warn(troubles);
    },
  });

  function putAway() {
    one().shelf.push(pad.picture);
    pad.set({ strokes: [] });
    pad.change(false);
    draw();
  }

  /** Tells a screen reader what is what. */
  function label() {
    group.setAttribute("aria-label", one().name);
    pad.name(one().name);
    [...shelf.querySelectorAll("button")].forEach((button, i) => {
      const text = `Remove ${thing} ${i + 1} of ${one().name}`;
      button.setAttribute("aria-label", text);
    });
  }

  function remove(i) {
    one().shelf.splice(i, 1);
    draw();
    changed();
    const next = Math.min(i, one().shelf.length - 1);
    (shelf.querySelectorAll("button")[next] ?? pad).focus();
  }

  function draw() {
    name.value = one().name;
    shelf.replaceChildren(
      ...one().shelf.map((picture, i) => {
        const canvas = document.createElement("canvas");
        show(canvas, picture, kind);
        const button = document.createElement("button");
        button.type = "button";
        button.title = "Remove";
        button.append(canvas);
        button.addEventListener("click", () => remove(i));
        const item = document.createElement("li");
        item.append(button);
        return item;
      }),
    );
    label();
    pad.draw(); // whose Undo takes back what is on the shelf
  }

  name.setAttribute("aria-label", `Name of class ${index + 1}`);
  name.addEventListener("input", () => {
    one().name = name.value || `Class ${index + 1}`;
    label();
    changed();
  });
  root.querySelector(".input").append(pad.element);
  pad.takeDrops(group);
  $("classes").append(root);
  return {
    show() {
      pad.set(one().pad);
      draw();
    },
  };
}

function showAll() {
  cards.forEach((card) => card.show());
  query.set(state.query);
  $("steps").value = placeOf(state.steps);
  showSteps();
  showBars([]);
}

function showSteps() {
  const count = steps[placeOf(state.steps)];
  $("number").textContent = count;
  $("steps").setAttribute("aria-valuetext", `${count} inner steps`);
}

async function loadExample() {
  const example = await (await fetch("example.json")).json();
  const prepared = async (png) => {
    const bytes = Uint8Array.from(atob(png), (c) => c.charCodeAt(0));
    return ofFile(new File([bytes], "The example"));
  };
  const loaded = fresh(model);
  const names = Object.keys(example.support).slice(0, model.ways);
  for (const [i, name] of names.entries()) {
    loaded.classes[i].name = name;
    const shelf = example.support[name].map(prepared);
    loaded.classes[i].shelf = await Promise.all(shelf);
  }
  loaded.query = await prepared(example.query);
  return loaded;
}

function start() {
  $("server").textContent = model.server ?
    `, and is sent to ${model.server} alone, to be learned` :
    " and on this machine";
  for (const event of ["dragover", "drop"]) {
    // A browser opens a file in the page's place that falls beside the pads.
    window.addEventListener(event, (each) => {
      if (each.dataTransfer?.types.includes("Files")) each.preventDefault();
    });
  }
  document.title = `${model.name}: ${document.title}`;
  document.body.classList.toggle("photos", !kind.ink);
  $("introduction").textContent =
    `${kind.ink ? "Draw" : "Choose"} one ${thing} or a few for each of up to ` +
    `${model.ways} classes, and then one more: ${model.name} learns the ` +
    "classes and says which of them it is.";
  for (let i = 0; i < model.ways; i++) {
    cards.push(makeCard(i));
    $("bars").append($("bar").content.cloneNode(true));
  }
  $("query").append(query.element);
  query.takeDrops($("asking"));
  $("steps").max = steps.length - 1;
  $("steps").addEventListener("input", () => {
    state.steps = steps[Number($("steps").value)];
    showSteps();
    changed();
  });
  const anew = (make) => async () => {
    const any = !isEmpty(state.query) || state.classes.some(
      (one) => picturesOf(one).length);
    if (any && !confirm(`This removes all ${thing}s on the page.`)) return;
    const before = age;
    const main = document.querySelector("main");
    main.inert = true; // what is drawn meanwhile would be replaced
    try {
      const made = await make(model);
      if (age !== before) return; // "Start over" was pressed meanwhile
      state = made;
      age++;
    } catch {
      fail("The page's server does not answer.");
      return;
    } finally {
      main.inert = false;
    }
    showAll();
    changed();
  };
  whenKeptElsewhere(model, () => {
    state = restored(model);
    age++;
    showAll();
    asker.ask();
  });
  // Its drawings are dark on light, of five classes.
  $("example").hidden = kind.ink !== "dark" || model.ways < 5;
  $("example").addEventListener("click", anew(loadExample));
  $("restart").addEventListener("click", anew(fresh));
  showAll();
  document.querySelector("main").hidden = false;
  asker.ask();
}

start();
