// Check pages of the built site with axe-core, wide and narrow, light and dark; exit 1 at a serious finding.
//
//   npm install --prefix /tmp/axe axe-core puppeteer-core
//   NODE_PATH=/tmp/axe/node_modules node tests/fresh/accessibility.cjs build/site [PAGE.html ...]
//
// CHROME names the browser, default /usr/bin/chromium.

const { readFileSync } = require("fs");
const { resolve } = require("path");
const { pathToFileURL } = require("url");
const puppeteer = require("puppeteer-core");

const PAGES = ["index.html", "gallery/index.html", "gallery/dms.html", "results/C3/index.html", "benchmark.html", "install.html"];

async function main(site, ...pages) {
  const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
  const executablePath = process.env.CHROME ?? "/usr/bin/chromium";
  const browser = await puppeteer.launch({ executablePath, args: ["--no-sandbox"] });
  let serious = 0;
  for (const path of pages.length ? pages : PAGES)
    for (const value of ["light", "dark"])
      for (const width of [1280, 390]) {
        const context = await browser.createBrowserContext(); // the theme stores the scheme, so each has its own
        const page = await context.newPage();
        await page.setViewport({ width, height: 900 });
        // A browser without a screen has no mouse, and then the theme lets nobody reach code by keyboard.
        const features = [{ name: "prefers-color-scheme", value }, { name: "hover", value: "hover" }];
        await (await page.createCDPSession()).send("Emulation.setEmulatedMedia", { features });
        await page.goto(pathToFileURL(resolve(site, path)), { waitUntil: "load" });
        await page.evaluate(axe);
        for (const { impact, id, nodes } of (await page.evaluate(() => axe.run())).violations) {
          serious += ["serious", "critical"].includes(impact);
          console.log(`${path}, ${width} px, ${value}: ${impact}: ${id}, ${nodes.length} times, as at ${nodes[0].target}`);
        }
        await context.close();
      }
  await browser.close();
  console.log(`${serious} serious or critical findings`);
  process.exitCode = serious ? 1 : 0;
}

main(...process.argv.slice(2));
