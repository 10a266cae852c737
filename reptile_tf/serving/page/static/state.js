// What is on the page, which the browser keeps for the next time.
//
//   {classes: [{name, pad, shelf}, ...], query, steps}
//
// The pad of a class holds the picture that is worked on, its shelf the others;
// steps is the number of inner steps.

import { isEmpty, isPicture } from "./picture.js";

const USUAL_STEPS = 50;

/** Returns what is on the page at first. */
export function fresh(model) {
  const classes = Array.from({ length: model.ways }, (_, i) => ({
    name: `Class ${i + 1}`,
    pad: { strokes: [] },
    shelf: [],
  }));
  return { classes, query: { strokes: [] }, steps: USUAL_STEPS };
}

/** Returns what was kept of a page for this model, or what is there at first. */
export function restored(model) {
  const fine = (picture) => isPicture(picture, model.pictures);
  try {
    const kept = JSON.parse(localStorage.getItem(place(model)));
    const whole = kept.classes.length === model.ways &&
      kept.classes.every((one) => typeof one.name === "string" &&
        fine(one.pad) && one.shelf.every(fine)) &&
      fine(kept.query) && Number.isInteger(kept.steps);
    if (whole) return kept;
  } catch {
    // A browser may forbid it, or hold what an older page kept.
  }
  return fresh(model);
}

/** Returns whether the browser keeps it. */
export function keep(state, model) {
  try {
    localStorage.setItem(place(model), JSON.stringify(state));
    return true;
  } catch {
    return false;
  }
}

/** Calls when another tab of this browser keeps a page for this model. */
export function whenKeptElsewhere(model, call) {
  window.addEventListener("storage", ({ key }) => {
    // It is null where all that the browser kept was removed.
    if (key === place(model) || key === null) call();
  });
}

/** Returns the pictures of a class. */
export function picturesOf(one) {
  return isEmpty(one.pad) ? one.shelf : [...one.shelf, one.pad];
}

function place(model) {
  const kind = model.pictures;
  return `reptile_tf ${model.name} ${kind.height}x${kind.width}` +
    `x${kind.channels} ${kind.ink} ${model.ways}`;
}
