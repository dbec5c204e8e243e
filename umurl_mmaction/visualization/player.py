"""The page that plays strips of stick figures.

It needs nothing but itself: no other file, no server.
"""

PAGE = '''<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Stick figures</title>
<style>
body { font: 14px sans-serif; margin: 1em; }
#strips { display: flex; flex-wrap: wrap; gap: 8px;
  align-items: end; }
figure { margin: 0; }
figcaption { font-size: 12px; text-align: center; white-space: pre-line;
  max-width: 190px; min-height: 3em; }
canvas { border: 1px solid #ccc; cursor: grab; touch-action: none; }
#frame { width: 20em; vertical-align: middle; }
#rate { width: 4em; }
</style>
</head>
<body>
<h1 id="title" style="font-size: 1.2em"></h1>
<div id="strips"></div>
<p><button id="play"></button>
<input id="frame" type="range" min="0" value="0" aria-label="frame">
<label>frames a second <input id="rate" type="number" min="1" max="60">
</label> <span id="hint"></span></p>
<script id="data" type="application/json">DATA</script>
<script>
'use strict';
const data = JSON.parse(document.getElementById('data').textContent);
const element = id => document.getElementById(id);
const WIDTH = 190;
const sum = (a, b, s, t) => a.map((x, i) => s * x + t * b[i]);
const dot = (a, b) => a.reduce((total, x, i) => total + x * b[i], 0);
let [azimuth, elevation] = data.angles || [0, 0];
let frame = 0, playing = true, last = 0;

// Directions to the right and upwards on the page.
function directions() {
  if (!data.viewer)
    return [0, 1].map(i => data.matrix.map(row => row[i]));
  const [right, up, near] = data.viewer;
  const a = azimuth * Math.PI / 180, e = elevation * Math.PI / 180;
  const side = sum(right, near, Math.cos(a), -Math.sin(a));
  const front = sum(near, right, Math.cos(a), Math.sin(a));
  return [side, sum(up, front, Math.cos(e), -Math.sin(e))];
}
const first = directions();

function drawStrip(strip) {
  const context = strip.canvas.getContext('2d');
  const {width, height} = strip.canvas;
  context.clearRect(0, 0, width, height);
  const scale = width / (strip.xlim[1] - strip.xlim[0]);
  const axes = directions();
  const place = joint => {
    const from = sum(joint, strip.center, 1, -1);
    const [x, y] = axes.map((axis, i) =>
      dot(from, axis) + dot(strip.center, first[i]));
    return [(x - strip.xlim[0]) * scale, (strip.ylim[1] - y) * scale];
  };
  const poses = strip.poses[frame];
  let bones = 0;
  // The first body is drawn last, so that nothing covers it.
  for (let body = poses.length - 1; body >= 0; body--) {
    const points = poses[body].map(joint => joint && place(joint));
    const colors = data.colors[Math.min(body, 1)];
    context.lineWidth = 2.5;
    context.lineCap = 'round';
    for (const [start, end] of data.bones) {
      if (!points[start] || !points[end]) continue;
      context.strokeStyle = colors[end];
      context.beginPath();
      context.moveTo(...points[start]);
      context.lineTo(...points[end]);
      context.stroke();
      bones += 1;
    }
    points.forEach((point, joint) => {
      if (!point) return;
      context.fillStyle = colors[joint];
      context.beginPath();
      context.arc(...point, 2.5, 0, 2 * Math.PI);
      context.fill();
    });
  }
  context.fillStyle = '#777';
  context.font = '11px sans-serif';
  context.fillText(strip.numbers[frame] + (bones ? '' : ' nobody'),
                   5, height - 6);
  return bones;
}

function draw() {
  // What is on the page, for those who cannot see it.
  document.body.dataset.bones = data.strips.map(drawStrip).join(' ');
  document.body.dataset.frame = frame;
  element('frame').value = frame;
  element('play').textContent = playing ? 'Pause' : 'Play';
}

function turn(canvas) {
  canvas.onpointerdown = event => canvas.setPointerCapture(event.pointerId);
  canvas.onpointermove = event => {
    if (!data.viewer || !event.buttons) return;
    azimuth -= event.movementX / 2;
    elevation = Math.max(-90, Math.min(90, elevation + event.movementY / 2));
    draw();
  };
}

document.title = element('title').textContent = data.title;
for (const strip of data.strips) {
  const figure = document.createElement('figure');
  const caption = document.createElement('figcaption');
  caption.textContent = strip.title;
  strip.canvas = document.createElement('canvas');
  strip.canvas.width = WIDTH;
  strip.canvas.height = Math.round(WIDTH * (strip.ylim[1] - strip.ylim[0]) /
                                   (strip.xlim[1] - strip.xlim[0]));
  if (strip.color) {
    caption.style.color = strip.color;
    strip.canvas.style.border = `2px solid ${strip.color}`;
  }
  turn(strip.canvas);
  figure.append(caption, strip.canvas);
  element('strips').append(figure);
}
const count = data.strips[0].poses.length;
element('frame').max = count - 1;
element('rate').value = data.fps;
element('hint').textContent = data.viewer ? 'drag a figure to turn all' : '';
element('play').onclick = () => { playing = !playing; draw(); };
element('frame').oninput = event => {
  playing = false;
  frame = Number(event.target.value);
  draw();
};
// page.html#5 opens at that frame, and stands still.
const wanted = Number(location.hash.slice(1));
if (location.hash && wanted < count) {
  frame = wanted;
  playing = false;
}
draw();
requestAnimationFrame(function step(now) {
  if (playing && now - last > 1000 / (Number(element('rate').value) || 1)) {
    last = now;
    frame = (frame + 1) % count;
    draw();
  }
  requestAnimationFrame(step);
});
</script>
</body>
</html>
'''
