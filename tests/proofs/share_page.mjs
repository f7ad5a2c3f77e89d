// Opens the pages of share links in a real Chromium, as a person without an account does, and prints what happened as JSON.
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [origin, folder, listed, revoked] = process.argv.slice(2);
const PAGES = JSON.parse(listed);
const REVOKED = JSON.parse(revoked);
const VIEWS = {
  light: { viewport: { width: 1280, height: 900 }, colorScheme: "light" },
  dark: { viewport: { width: 1280, height: 900 }, colorScheme: "dark" },
  phone: { viewport: { width: 390, height: 844 }, colorScheme: "light", isMobile: true, hasTouch: true, deviceScaleFactor: 2 },
};
const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PIXEL = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");
const seen = { views: {}, complaints: [], requests: [] };

const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

async function open(path, options = VIEWS.light) {
  const context = await browser.newContext({ ...options, reducedMotion: "reduce" });
  const page = await context.newPage();
  const requests = [];
  await page.route("https://images.example/**", (route) => route.fulfill({ contentType: "image/png", body: PIXEL }));
  page.on("request", async (request) => {
    const noted = { url: request.url(), range: request.headers()["range"] ?? null };
    requests.push(noted);
    seen.requests.push(noted);
    noted.referer = (await request.allHeaders().catch(() => request.headers()))["referer"] ?? null;
  });
  page.on("response", (response) => {
    const noted = requests.findLast(({ url, status }) => url === response.url() && status === undefined);
    if (noted) noted.status = response.status();
  });
  const expected = path.endsWith("0000"); // Chromium reports the 404 of a page in its console
  page.on("console", (line) => !expected && ["error", "warning"].includes(line.type()) && seen.complaints.push(`${path}: ${line.text()}`));
  page.on("pageerror", (error) => seen.complaints.push(`${path}: ${error}`));
  await page.goto(origin + path);
  return { page, requests };
}

async function look(view, name, path) {
  const { page } = await open(path, VIEWS[view]);
  await page.screenshot({ path: `${folder}/share-${name}-${view}.png`, fullPage: true });
  await page.evaluate(AXE);
  const { violations, passes } = await page.evaluate(() => axe.run());
  seen.views[`${view} ${name}`] = {
    title: await page.getByRole("heading", { level: 1 }).innerText(),
    overflow: (await page.evaluate(() => document.documentElement.scrollWidth)) > VIEWS[view].viewport.width,
    ground: await page.evaluate(() => getComputedStyle(document.body).backgroundColor),
    findings: violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`),
    passes: passes.length,
    cover: await page.evaluate(() => [...document.images].map(({ naturalWidth }) => naturalWidth)),
  };
  await page.context().close();
}

const state = (page) =>
  page.evaluate(() => {
    const audio = document.querySelector("audio");
    return { time: audio.currentTime, paused: audio.paused, duration: audio.duration, error: audio.error?.code ?? null };
  });

/** Waits until the player has gone on for a while; false if it does not. */
async function plays(page) {
  const from = (await state(page)).time;
  for (let i = 0; i < 200; i++) {
    if ((await state(page)).time > from + 0.3) return true;
    await page.waitForTimeout(100);
  }
  return false;
}

const seek = (page, to) =>
  page.evaluate((at) => {
    const audio = document.querySelector("audio");
    const done = ["seeked", "error"].map((name) => new Promise((resolve) => audio.addEventListener(name, () => resolve(name), { once: true })));
    audio.currentTime = at;
    return Promise.race([...done, new Promise((resolve) => setTimeout(() => resolve("nothing"), 40000))]);
  }, to);

/** With the keyboard alone, and with the scripts of pages switched off. */
async function byKeyboard(path) {
  const { page, requests } = await open(path, { ...VIEWS.light, javaScriptEnabled: false });
  const loadedBefore = requests.length;
  await page.keyboard.press("Tab");
  const focused = await page.evaluate(() => document.activeElement.localName);
  await page.keyboard.press("Enter");
  const playing = await plays(page);
  await page.keyboard.press("Enter");
  const paused = (await state(page)).paused;
  const found = { focused, playing, paused, loadedBefore, requests };
  await page.context().close();
  return found;
}

async function openLicence(path) {
  const { page } = await open(path, { ...VIEWS.light, javaScriptEnabled: false });
  const reached = [];
  for (let i = 0; i < 40 && reached.at(-1) !== "summary"; i++) {
    await page.keyboard.press("Tab");
    reached.push(await page.evaluate(() => document.activeElement.localName));
  }
  await page.keyboard.press("Enter");
  const found = { reached: [...new Set(reached)], shown: await page.getByText("Commercial use", { exact: true }).first().isVisible() };
  await page.context().close();
  return found;
}

async function playSeekAndRevoke(path) {
  const { page, requests } = await open(path);
  await page.evaluate(() => document.querySelector("audio").play());
  const found = { played: await plays(page) };
  await page.evaluate(() => document.querySelector("audio").pause());
  const { duration } = await state(page);
  found.duration = duration;
  found.seeked = await seek(page, duration * 0.6);
  await page.evaluate(() => document.querySelector("audio").play());
  found.playedThere = await plays(page);
  found.after = await state(page);
  await page.evaluate(() => document.querySelector("audio").pause());
  const { status } = await fetch(REVOKED.url, { method: "DELETE", headers: { "X-API-Key": REVOKED.key } });
  found.revoked = status;
  found.seekedRevoked = await seek(page, duration * 0.95);
  found.requests = requests;
  found.reloaded = (await page.reload()).status();
  await page.context().close();
  return found;
}

await mkdir(folder, { recursive: true });
try {
  for (const view of Object.keys(VIEWS)) for (const [name, path] of Object.entries(PAGES)) await look(view, name, path);
  seen.keyboard = await byKeyboard(PAGES.track);
  seen.licence = await openLicence(PAGES.collection);
  const complaints = seen.complaints.length;
  seen.played = await playSeekAndRevoke(REVOKED.path);
  seen.complaints.length = complaints; // Chromium reports the 404 of what is revoked
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
