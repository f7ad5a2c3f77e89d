// Plays audio in a real Chromium: starts, seeks, and seeks again when the address has expired; prints what happened as JSON.
import { chromium } from "playwright-core";

const [lasting, short, expires, ...formats] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

async function open() {
  const page = await browser.newPage();
  const requests = [];
  page.on("requestfailed", (request) => requests.push({ range: request.headers()["range"] ?? null, failed: request.failure()?.errorText }));
  page.on("response", (response) => {
    if (response.url().includes("/music/audio/")) requests.push({ range: response.request().headers()["range"] ?? null, status: response.status() });
  });
  await page.setContent("<audio></audio>");
  await page.evaluate(() => {
    const audio = document.querySelector("audio");
    /** Waits for one of the events; the name of the first one. */
    window.event = (...names) => new Promise((resolve) => names.forEach((name) => audio.addEventListener(name, () => resolve(name), { once: true })));
    window.state = () => ({
      time: audio.currentTime, duration: audio.duration, error: audio.error?.code ?? null,
      buffered: audio.buffered.length ? audio.buffered.end(audio.buffered.length - 1) : 0,
    });
    window.load = async (url, at = 0) => {
      const loaded = event("canplay", "error");
      audio.src = url;
      audio.currentTime = at;
      return loaded;
    };
    window.seek = async (to) => {
      const done = event("seeked", "error");
      audio.currentTime = to;
      return done;
    };
    window.playOn = async () => {
      const from = audio.currentTime;
      await audio.play();
      while (audio.currentTime < from + 0.3) await new Promise((resolve) => setTimeout(resolve, 50));
      audio.pause();
      return audio.currentTime - from;
    };
  });
  return { page, requests };
}

async function playAndSeek(url) {
  const { page, requests } = await open();
  const seen = { loaded: await page.evaluate((src) => load(src), url), played: await page.evaluate(() => playOn()) };
  seen.duration = (await page.evaluate(() => state())).duration;
  seen.seeked = await page.evaluate((to) => seek(to), seen.duration * 0.9);
  seen.playedThere = await page.evaluate(() => playOn());
  seen.after = await page.evaluate(() => state());
  await page.close();
  return { ...seen, requests };
}

async function seekPastExpiry(url, fresh) {
  const { page, requests } = await open();
  const seen = { loaded: await page.evaluate((src) => load(src), url), played: await page.evaluate(() => playOn()) };
  seen.paused = await page.evaluate(() => state());
  await page.waitForTimeout(Math.max(0, (Number(expires) + 1) * 1000 - Date.now()));
  const to = seen.paused.duration * 0.9;
  seen.seeked = await page.evaluate((at) => Promise.race([seek(at), new Promise((resolve) => setTimeout(() => resolve("nothing"), 40000))]), to);
  seen.failed = await page.evaluate(() => state());
  seen.again = await page.evaluate(([src, at]) => load(src, at), [fresh, to]);
  seen.playedAgain = await page.evaluate(() => playOn());
  seen.after = await page.evaluate(() => state());
  await page.close();
  return { ...seen, requests };
}

try {
  const expired = await seekPastExpiry(short, lasting);
  const seen = { lasting: await playAndSeek(lasting), expired, formats: [] };
  for (const url of formats) seen.formats.push(await playAndSeek(url));
  console.log(JSON.stringify(seen));
} finally {
  await browser.close();
}
