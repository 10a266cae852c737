// A pad: where one draws a picture, or drops one.

import { drawStrokes, isEmpty, ofFile, show } from "./picture.js";

const SIZE = 336; // pixels of a pad's longer side, before the screen's own
const COLOURS = { dark: ["#111111", "#ffffff"], light: ["#ffffff", "#111111"] };

export class Pad {
  /**
   * @param {Object} kind which pictures the model takes
   * @param {string} label what a screen reader calls the pad
   * @param {Object} on what is told: `changed(drawing)` when the picture is
   *   another one (and whether the pen is still down), `add()` when the button
   *   is pressed, `undo()` when there is nothing left on the pad to take back
   *   but elsewhere, as `canUndo()` says, and
   *   `files(pictures, troubles)` when files are read, unless `age()` is another
   *   by then, or the picture is and there is no shelf to put them on
   */
  constructor(kind, label, on) {
    this.kind = kind;
    this.on = on;
    this.picture = { strokes: [] };
    this.stroke = null; // what is being drawn
    this.cleared = null; // the picture that Undo brings back
    this.version = 0; // of the picture: how often it was changed
    const root = document.getElementById("pad").content.cloneNode(true);
    this.element = root.querySelector(".pad");
    this.canvas = root.querySelector("canvas");
    for (const name of ["add", "undo", "clear"]) {
      this[`${name}Button`] = root.querySelector(`.${name}`);
    }
    this.addButton.hidden = !on.add;
    this.addButton.addEventListener("click", () => on.add());
    this.undoButton.addEventListener("click", () => this.undo());
    this.clearButton.addEventListener("click", () => this.clear());
    this.takeFiles(root.querySelector("input"));
    this.name(label);
    if (kind.ink) this.takeStrokes();
    else this.canvas.removeAttribute("tabindex"); // keys do nothing there
    this.draw();
  }

  name(label) {
    this.label = label;
    this.describe();
    for (const [button, text] of [
      [this.addButton, "Add this drawing, and begin another"],
      [this.undoButton, "Undo"],
      [this.clearButton, "Clear"],
    ]) {
      button.setAttribute("aria-label", `${text}, ${label}`);
    }
    this.input.setAttribute("aria-label", `Choose a picture, ${label}`);
  }

  /** Tells a screen reader what is on the canvas. */
  describe() {
    const what = this.picture.pixels ? "holds a picture" :
      !isEmpty(this.picture) ? "holds a drawing" :
      this.kind.ink ? "empty, draw here or drop a picture" :
      "empty, drop a picture here";
    this.canvas.setAttribute("aria-label", `${this.label}: ${what}`);
  }

  focus() {
    (this.kind.ink ? this.canvas : this.input).focus();
  }

  takeStrokes() {
    const { canvas } = this;
    const point = (event) => {
      const box = canvas.getBoundingClientRect();
      const part = (value) =>
        Math.round(1e4 * Math.min(1, Math.max(0, value))) / 1e4;
      return [
        part((event.clientX - box.left) / box.width),
        part((event.clientY - box.top) / box.height),
      ];
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (this.stroke || event.button !== 0) return;
      // What a file holds makes room for a drawing, until that is undone.
      if (this.picture.pixels) {
        this.cleared = this.picture;
        this.picture = { strokes: [] };
      }
      canvas.setPointerCapture(event.pointerId);
      this.stroke = point(event);
      this.picture = { strokes: [...this.picture.strokes, this.stroke] };
      this.pointer = event.pointerId;
      this.change(true);
    });
    const end = (event) => {
      if (this.stroke && event.pointerId === this.pointer) this.change(false);
    };
    canvas.addEventListener("pointermove", (event) => {
      if (!this.stroke || event.pointerId !== this.pointer) return;
      if (!event.buttons) { // which was let go where the browser did not see it
        end(event);
        return;
      }
      // All that came since the last frame, not the last of it alone.
      const events = event.getCoalescedEvents?.() ?? [];
      for (const each of events.length ? events : [event]) {
        this.stroke.push(...point(each));
      }
      this.change(true);
    });
    canvas.addEventListener("pointerup", end);
    canvas.addEventListener("pointercancel", end);
    canvas.addEventListener("lostpointercapture", end);
    canvas.addEventListener("keydown", (event) => {
      if (event.key === "z" && (event.ctrlKey || event.metaKey)) this.undo();
      else if (event.key === "Delete" || event.key === "Backspace") this.clear();
      else return;
      event.preventDefault();
    });
  }

  takeFiles(input) {
    this.input = input;
    input.multiple = Boolean(this.on.add);
    input.addEventListener("change", () => {
      this.take([...input.files]);
      input.value = "";
    });
  }

  /** Takes the files that are dropped on an element. */
  takeDrops(element) {
    const over = (is) => element.classList.toggle("over", is);
    element.addEventListener("dragover", (event) => {
      over(event.dataTransfer.types.includes("Files"));
    });
    element.addEventListener("dragleave", () => over(false));
    element.addEventListener("drop", (event) => {
      over(false);
      this.take([...event.dataTransfer.files]);
    });
  }

  async take(files) {
    if (!files.length) return;
    const age = this.on.age();
    const version = ++this.version;
    const pictures = [];
    const troubles = [];
    for (const file of files) {
      try {
        pictures.push(await ofFile(file));
      } catch (error) {
        troubles.push(error.message);
      }
    }
    // A shelf has room for all. Where there is none, what came last stays.
    const late = !this.on.add && this.version !== version;
    if (!late && this.on.age() === age) this.on.files(pictures, troubles);
  }

  set(picture) {
    this.picture = picture;
    this.stroke = this.cleared = null;
    this.version++;
    this.draw();
  }

  undo() {
    if (this.picture.strokes?.length) {
      this.picture = { strokes: this.picture.strokes.slice(0, -1) };
      this.change(false);
    } else if (this.picture.pixels) {
      this.picture = { strokes: [] };
      this.change(false);
    } else if (this.cleared) {
      this.picture = this.cleared;
      this.cleared = null;
      this.change(false);
    } else if (this.on.canUndo?.()) {
      this.on.undo();
    }
  }

  clear() {
    if (isEmpty(this.picture)) return;
    this.cleared = this.picture;
    this.picture = { strokes: [] };
    this.change(false);
  }

  change(drawing) {
    if (!drawing) this.stroke = null;
    this.version++;
    this.draw();
    this.on.changed(drawing);
  }

  draw() {
    const { canvas, kind } = this;
    const empty = isEmpty(this.picture);
    this.addButton.disabled = this.clearButton.disabled = empty;
    this.undoButton.disabled = empty && !this.cleared && !this.on.canUndo?.();
    this.describe();
    if (this.picture.pixels) {
      show(canvas, this.picture, kind);
      return;
    }
    const scale =
      (SIZE * window.devicePixelRatio) / Math.max(kind.width, kind.height);
    canvas.width = Math.round(scale * kind.width);
    canvas.height = Math.round(scale * kind.height);
    const context = canvas.getContext("2d");
    if (!kind.ink) {
      this.invite(context, getComputedStyle(canvas).color);
      return;
    }
    const [ink, paper] = COLOURS[kind.ink];
    context.fillStyle = paper;
    context.fillRect(0, 0, canvas.width, canvas.height);
    drawStrokes(context, this.picture.strokes, ink);
    if (empty) this.invite(context, ink);
  }

  invite(context, ink) {
    const { width, height } = context.canvas;
    context.fillStyle = ink;
    context.globalAlpha = 0.6;
    context.font = `${width / 14}px system-ui, sans-serif`;
    context.textAlign = "center";
    const text = this.kind.ink ? "draw here" : "drop a photo here";
    context.fillText(text, width / 2, height / 2);
    context.globalAlpha = 1;
  }
}
