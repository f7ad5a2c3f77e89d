const API = document.querySelector("form").dataset.api;
// A quarter of a circle: the powers of its sine and its cosine add up to one.
const ANGLES = Array.from({ length: 64 }, (_, step) => (step / 63) * (Math.PI / 2));
const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/** Plays a decoded segment from `start` (seconds), with its fades; returns the time of its end. */
function schedule(context, buffer, segment, start) {
  const source = new AudioBufferSourceNode(context, { buffer }), volume = new GainNode(context);
  const end = start + segment.measured_duration_seconds, fadeOut = segment.fade_out_ms / 1000;
  if (segment.fade_in_ms) volume.gain.setValueCurveAtTime(ANGLES.map(Math.sin), start, segment.fade_in_ms / 1000);
  if (fadeOut) volume.gain.setValueCurveAtTime(ANGLES.map(Math.cos), end - fadeOut, fadeOut);
  source.connect(volume).connect(context.destination);
  source.start(start);
  return end;
}

async function play(ask, context, say) {
  let session = await ask("", JSON.stringify({ goal: "focus", target_minutes: 30 })), index = 0, end = context.currentTime + 1;
  while (index < session.segments.length || session.more_pending) {
    const segment = session.segments[index], start = segment && Math.max(end - segment.fade_in_ms / 1000, context.currentTime);
    if (!segment) await pause(5).then(async () => (session = await ask(`/${session.session_id}`)));
    else if (start > context.currentTime + 20) await pause(1);
    else {
      const buffer = await context.decodeAudioData(await (await fetch(segment.playback_url)).arrayBuffer());
      end = schedule(context, buffer, segment, start);
      say(`Segment ${++index} of ${session.total_segments}.`);
    }
  }
}

document.querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const { organization, key } = Object.fromEntries(new FormData(event.target)), status = document.querySelector("[role=status]");
  const headers = { "X-API-Key": key, "Content-Type": "application/json" };
  const ask = async (path, body) => {
    const answer = await (await fetch(`${API}${organization}/focus/sessions${path}`, { method: body ? "POST" : "GET", headers, body })).json();
    if (answer.error) throw new Error(answer.error.message);
    return answer;
  };
  play(ask, new AudioContext(), (text) => (status.textContent = text)).catch((error) => (status.textContent = error.message));
});
