// Opens pages in a real Chromium, tries a request on /docs, and prints as JSON what the browser saw.
import { mkdir } from "node:fs/promises";
import { chromium } from "playwright-core";

const [origin, key, folder, ...paths] = process.argv.slice(2);
const VIEWS = {
  light: { viewport: { width: 1440, height: 1000 }, colorScheme: "light" },
  dark: { viewport: { width: 1440, height: 1000 }, colorScheme: "dark" },
  phone: { viewport: { width: 390, height: 844 }, colorScheme: "light", isMobile: true, hasTouch: true, deviceScaleFactor: 2 },
};
const seen = { requests: [], complaints: [], views: {}, tried: null };

async function open(browser, name, path) {
  const context = await browser.newContext({ ...VIEWS[name], reducedMotion: "reduce" });
  const page = await context.newPage();
  page.on("request", (request) => seen.requests.push(request.url()));
  page.on("console", (line) => ["error", "warning"].includes(line.type()) && seen.complaints.push(`${path}: ${line.text()}`));
  page.on("pageerror", (error) => seen.complaints.push(`${path}: ${error}`));
  await page.goto(origin + path, { waitUntil: "networkidle" });
  return page;
}

async function look(browser, name, path) {
  const page = await open(browser, name, path);
  const file = `${folder}/${name}${path.replaceAll("/", "-")}.png`;
  await page.screenshot({ path: file });
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
  const title = await page.getByRole("heading", { level: 1 }).first().innerText();
  seen.views[`${name} ${path}`] = { title, overflow };
  await page.context().close();
}

await mkdir(folder, { recursive: true });
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
try {
  for (const name of Object.keys(VIEWS)) for (const path of paths) await look(browser, name, path);
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
