// A picture on the page: the strokes of a drawing, or the pixels of a file.
//
//   {strokes: [[x, y, x, y, ...], ...]}  fractions of the pad's width and height
//   {pixels: "..."}                      base64 of height x width x channels

// Omniglot was drawn on 105 x 105 pixels, of which 28 x 28 were taken. A
// drawing is made in the same way, by a pen of 4 of them: one of 3, as most of
// Omniglot's are, can pass between those that are taken.
const FINENESS = 105 / 28;
const PEN = 4 / 105;

export const isEmpty = (picture) =>
  !picture || (!picture.pixels && !picture.strokes?.length);

/** Draws strokes on a canvas in the colour that it is told. */
export function drawStrokes(context, strokes, colour) {
  const { width, height } = context.canvas;
  context.strokeStyle = context.fillStyle = colour;
  context.lineWidth = PEN * Math.min(width, height);
  context.lineCap = context.lineJoin = "round";
  for (const stroke of strokes) {
    context.beginPath();
    if (isDot(stroke)) {
      const radius = 0.75 * context.lineWidth; // a dot can pass between, too
      context.arc(stroke[0] * width, stroke[1] * height, radius, 0, 7);
      context.fill();
      continue;
    }
    context.moveTo(stroke[0] * width, stroke[1] * height);
    for (let i = 2; i < stroke.length; i += 2) {
      context.lineTo(stroke[i] * width, stroke[i + 1] * height);
    }
    context.stroke();
  }
}

/** Returns whether a stroke is shorter than its pen is wide, as of a tap. */
function isDot(stroke) {
  const [x, y] = stroke;
  return stroke.every((v, i) => Math.abs(v - (i % 2 ? y : x)) < PEN);
}

/** Returns whether something is a picture that a page of this kind made. */
export function isPicture(picture, kind) {
  if (typeof picture?.pixels === "string") {
    const bytes = kind.height * kind.width * kind.channels;
    return picture.pixels.length === 4 * Math.ceil(bytes / 3) &&
      /^[A-Za-z0-9+/]*=*$/.test(picture.pixels);
  }
  const fine = (stroke) => Array.isArray(stroke) && stroke.length >= 2 &&
    stroke.length % 2 === 0 && stroke.every(Number.isFinite);
  return Array.isArray(picture?.strokes) && picture.strokes.every(fine);
}

/** Returns a picture as the model takes it: bytes, row by row. */
export function pixelsOf(picture, kind) {
  if (picture.pixels) {
    return Uint8Array.from(atob(picture.pixels), (c) => c.charCodeAt(0));
  }
  const nearest = kind.resize === "nearest";
  const scale = nearest ? FINENESS : 1;
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(scale * kind.width);
  canvas.height = Math.round(scale * kind.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  drawStrokes(context, picture.strokes, "black");
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  const pixels = new Uint8Array(kind.height * kind.width * kind.channels);
  for (let y = 0, at = 0; y < kind.height; y++) {
    const row = Math.floor(((y + 0.5) * canvas.height) / kind.height);
    for (let x = 0; x < kind.width; x++) {
      const column = Math.floor(((x + 0.5) * canvas.width) / kind.width);
      let ink = data[4 * (row * canvas.width + column) + 3];
      if (nearest) ink = ink < 128 ? 0 : 255; // its drawings have one bit
      const value = kind.ink === "dark" ? 255 - ink : ink;
      for (let c = 0; c < kind.channels; c++) pixels[at++] = value;
    }
  }
  return pixels;
}

/** Returns the picture of a file, prepared by the page's server. */
export async function ofFile(file) {
  let body, response, answer;
  try {
    body = await file.arrayBuffer();
  } catch {
    throw new Error(`${file.name} cannot be read. Drop the pictures ` +
      "themselves, not their folder.");
  }
  try {
    response = await fetch("picture", { method: "POST", body });
    answer = await response.json();
  } catch {
    throw new Error(`${file.name} could not be sent: the page's server does ` +
      "not answer.");
  }
  if (!response.ok) {
    throw new Error(`${file.name}: ${answer.error.replace(/\.$/, "")}.`);
  }
  return { pixels: toBase64(answer.pixels) };
}

function toBase64(bytes) {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

/** Shows on a canvas what the model sees of a picture. */
export function show(canvas, picture, kind) {
  const pixels = pixelsOf(picture, kind);
  canvas.width = kind.width;
  canvas.height = kind.height;
  const image = new ImageData(kind.width, kind.height);
  for (let i = 0; i < kind.width * kind.height; i++) {
    for (let c = 0; c < 3; c++) {
      const from = kind.channels === 1 ? i : 3 * i + c;
      image.data[4 * i + c] = pixels[from];
    }
    image.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}
