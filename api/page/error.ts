/** An error as a page: what was wrong and what to write instead, as in the problem+json of the api. */
import type { Problem } from '../errors.js'
import { type Html, html } from './html.js'

export function errorPage(problem: Problem, isDemo: boolean): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${problem.title} · Trunkscope</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/style.css">
</head>
<body>
<header class="top"><a class="brand" href="/"><b>Trunk</b>scope</a>${isDemo ? html`<span class="badge">demo data</span>` : null}</header>
<main><div class="title"><h1>${problem.title}</h1> <p class="quiet">${problem.status}</p></div><section><p>${problem.detail}</p><p class="quiet small">${problem.code}</p><p><a href="/">Carriers</a> · <a href="/attempts">Attempts</a></p></section></main>
</body>
</html>`
}
