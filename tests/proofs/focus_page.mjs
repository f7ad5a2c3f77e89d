// Opens the page that plays focus sessions in a real Chromium: plays one, and mixes others by the page's own function.
import { writeFile } from "node:fs/promises";
import { chromium } from "playwright-core";

const [origin, organization, key, listed, folder] = process.argv.slice(2);
const seen = { complaints: [], said: [] };
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

async function open() {
  const page = await browser.newPage();
  page.on("console", (line) => ["error", "warning"].includes(line.type()) && seen.complaints.push(line.text()));
  page.on("pageerror", (error) => seen.complaints.push(String(error)));
  await page.goto(`${origin}/docs/focus.html`);
  return page;
}

/** What a player hears of a session, as 16-bit stereo samples at 44,100 Hz. */
async function mixed(session) {
  const page = await open();
  const length = await page.evaluate(async ([path, key]) => {
    const { segments } = await (await fetch(path, { headers: { "X-API-Key": key } })).json();
    const seconds = segments.reduce((sum, one) => sum + one.measured_duration_seconds - one.fade_in_ms / 1000, segments[0].fade_in_ms / 1000);
    const context = new OfflineAudioContext(2, Math.round(seconds * 44100), 44100);
    let end = segments[0].fade_in_ms / 1000;
    for (const segment of segments) {
      const buffer = await context.decodeAudioData(await (await fetch(segment.playback_url)).arrayBuffer());
      end = schedule(context, buffer, segment, end - segment.fade_in_ms / 1000);
    }
    window.rendered = await context.startRendering();
    return rendered.length;
  }, [`/v1/music/${organization}/focus/sessions/${session}`, key]);
  const parts = [];
  for (let from = 0; from < length; from += 441000) {
    parts.push(Buffer.from(await page.evaluate(part, [from, Math.min(length, from + 441000)]), "base64"));
  }
  await page.close();
  await writeFile(`${folder}/${session}.pcm`, Buffer.concat(parts));
}

/** Some of the rendered samples, in base64. */
function part([from, to]) {
  const [left, right] = [0, 1].map((channel) => rendered.getChannelData(channel).subarray(from, to));
  const samples = new Int16Array(2 * left.length);
  left.forEach((_, index) => samples.set([left[index], right[index]].map((one) => Math.round(32767 * Math.max(-1, Math.min(1, one)))), 2 * index));
  const bytes = new Uint8Array(samples.buffer);
  let text = "";
  for (let index = 0; index < bytes.length; index += 8192) text += String.fromCharCode(...bytes.subarray(index, index + 8192));
  return btoa(text);
}

/** Starts a session by the form, and waits until the page says that a segment plays. */
async function started() {
  const page = await open();
  await page.fill("input[name=organization]", organization);
  await page.fill("input[name=key]", "nonsense");
  const status = page.locator("[role=status]");
  const said = async (text) => seen.said.push(await status.filter({ hasText: text }).textContent({ timeout: 60000 }));
  await page.click("form button");
  await said("API key");
  await page.fill("input[name=key]", key);
  await page.click("form button");
  await said("Segment 1 of 15");
  await page.close();
}

try {
  for (const session of JSON.parse(listed)) await mixed(session);
  await started();
  console.log(JSON.stringify(seen));
} finally {
  await browser.close();
}
