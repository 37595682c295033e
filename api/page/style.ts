/** The style sheet, served at /style.css: dark and light by the reader's setting, one column on a phone. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --bg: #f4f6f8; --panel: #ffffff; --ink: #17202b; --quiet: #5a6878; --line: #dde3ea; --stripe: #f8fafb;
  --accent: #1c62d1; --bad: #bd2b2b; --bad-bg: #fdecea; --warn: #8a5a00; --warn-bg: #fff5dc; --good: #1c7a4b;
  --spark: #3b6fb6; --bar: #7d95b3; --bar-open: #c3cfdd;
  --ok: #3a9d6e; --busy: #d9a514; --c480: #8f8ad6; --c487: #e2733a; --number: #9a6bcb; --refused: #c45c8d;
  --none: #66737f; --c5xx: #cf4444; --other: #b3bcc7;
  --att-a: #1f5fc4; --att-b: #7ba5e8; --att-c: #bcd2f2; --att-none: #c8ced6; --att-malformed: #cf4444;
}
@media (prefers-color-scheme: dark) {
  :root {
    --bg: #0c1117; --panel: #131a23; --ink: #d9e1ea; --quiet: #8a99ab; --line: #232e3b; --stripe: #161f2a;
    --accent: #6aa8ff; --bad: #ff8079; --bad-bg: #391a1c; --warn: #e5b84d; --warn-bg: #32280f; --good: #54c48e;
    --spark: #6ea3e8; --bar: #5d7696; --bar-open: #34465c;
    --ok: #3d9a6d; --busy: #c99a1c; --c480: #7c78c2; --c487: #d56a35; --number: #8e62bd; --refused: #b45482;
    --none: #6f7d8c; --c5xx: #d24b4b; --other: #465362;
    --att-a: #5b9bff; --att-b: #3a6cb8; --att-c: #24487c; --att-none: #56606c; --att-malformed: #d24b4b;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--bg); color: var(--ink);
  font: 14px/1.45 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; font-variant-numeric: tabular-nums;
}
a { color: var(--accent); text-decoration: none; }
a:hover, a:focus-visible { text-decoration: underline; }
p a, .tap a, dd a { text-decoration: underline; text-underline-offset: 2px; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.scroll:focus-visible, main:focus-visible { outline-offset: -2px; }
main:focus { outline: none; }
main[data-refresh] { overflow-anchor: none; }
.skip { position: absolute; left: 8px; top: -60px; padding: 6px 12px; background: var(--panel); z-index: 2; }
.skip:focus { top: 8px; }
code, pre, .mono { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: 12.5px; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.quiet { color: var(--quiet); }
.small { font-size: 12px; }
.bad { color: var(--bad); }
.warn { color: var(--warn); }
.good { color: var(--good); }
.nowrap { white-space: nowrap; }

.top {
  display: flex; flex-wrap: wrap; align-items: baseline; gap: 6px 18px; padding: 12px 20px;
  background: var(--panel); border-bottom: 1px solid var(--line);
}
.top .brand { font-weight: 700; font-size: 17px; color: var(--ink); letter-spacing: .01em; }
.top .brand b { color: var(--accent); }
.top .where { color: var(--quiet); flex: 1 1 320px; }
.badge {
  display: inline-block; padding: 0 8px; border-radius: 9px; font-size: 11.5px; font-weight: 600; line-height: 18px;
  background: var(--warn-bg); color: var(--warn); border: 1px solid currentColor; white-space: nowrap;
}
.badge.plain { background: none; color: var(--quiet); border-color: var(--line); font-weight: 500; }
.badge.bad { background: var(--bad-bg); color: var(--bad); }
.badge.good { background: none; color: var(--good); }
.ranges, .pages { display: flex; flex-wrap: wrap; gap: 2px; }
.ranges a, .ranges b, .pages a { padding: 2px 9px; border-radius: 6px; font-weight: 500; }
.ranges [aria-current] { background: var(--accent); color: var(--panel); }
.pages { margin-left: -9px; flex: 1 1 60%; }
.pages a { color: var(--ink); }
.pages [aria-current] { background: var(--bg); box-shadow: inset 0 -2px 0 var(--accent); border-radius: 6px 6px 0 0; font-weight: 650; }
main { max-width: 1500px; margin: 0 auto; padding: 14px 20px 40px; }
section { margin: 0 0 16px; background: var(--panel); border: 1px solid var(--line); border-radius: 8px; }
section > h2, section > .title { margin: 0; padding: 10px 14px 2px; }
.title { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 8px; }
.title h1, .title h2, .title p { margin: 0; min-width: 0; overflow-wrap: anywhere; }
.title h1 + p { font-size: 15px; }
.title h2 + p { font-size: 12.5px; }
main > .title { margin: 2px 0 10px; }
h1 { margin: 2px 0 10px; font-size: 21px; line-height: 1.25; }
h2 { font-size: 14.5px; font-weight: 650; }
section > p { margin: 4px 14px 10px; }
section > pre, section > form, section > ul { margin: 8px 14px 12px; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 430px), 1fr)); gap: 16px; align-items: start; }
.columns.charts { align-items: stretch; grid-template-columns: repeat(auto-fit, minmax(min(100%, 380px), 1fr)); }
.columns > * { min-width: 0; margin: 0; }
.columns { margin-bottom: 16px; }

.totals { display: grid; grid-template-columns: repeat(auto-fit, minmax(104px, 1fr)); margin: 0; padding: 6px 6px; }
.totals div { padding: 6px 4px 6px 9px; border-left: 1px solid var(--line); margin-left: -1px; }
.totals dt { font-size: 12px; color: var(--quiet); white-space: nowrap; }
.totals dd { margin: 0; font-size: 18px; font-weight: 600; line-height: 1.25; }
.totals dd small { display: block; font-size: 11.5px; font-weight: 400; color: var(--quiet); }
.tap { display: flex; flex-wrap: wrap; gap: 2px 20px; padding: 8px 14px; font-size: 12.5px; color: var(--quiet); }
.tap b { font-weight: 600; color: var(--ink); }
.tap .bad b, .tap .bad { color: var(--bad); }

.notes { list-style: none; margin: 6px 14px 12px; padding: 0; }
.notes li { padding: 5px 10px; margin: 4px 0; border-left: 3px solid var(--bad); background: var(--bad-bg); border-radius: 0 6px 6px 0; }
.notes li.tapnote { border-color: var(--warn); background: var(--warn-bg); }
.notes .change { display: inline-block; margin-left: 14px; white-space: nowrap; }
.notes .change b { color: var(--bad); }
.notes small { color: var(--quiet); font-size: 12px; }

.scroll { overflow-x: auto; position: relative; }
table { border-collapse: collapse; width: 100%; }
caption.hidden { padding: 0; }
caption.shown { text-align: left; padding: 0 14px 8px; color: var(--quiet); font-size: 12.5px; }
th, td { padding: 6px 10px; text-align: left; vertical-align: top; border-top: 1px solid var(--line); }
thead th { font-size: 12px; font-weight: 600; color: var(--quiet); white-space: nowrap; vertical-align: bottom; border-top: 0; }
.many thead th { white-space: normal; }
.many th, .many td { padding-left: 6px; padding-right: 6px; }
.many .wraps, .many .wraps small { white-space: normal; }
tbody th { font-weight: 600; }
tbody tr:hover { background: var(--stripe); }
th:first-child, td:first-child { padding-left: 14px; }
.num { text-align: right; white-space: nowrap; }
td small, .kpi small { color: var(--quiet); font-size: 11.5px; font-weight: 400; }
.cell { display: flex; flex-direction: column; align-items: flex-end; gap: 1px; }
.value { font-weight: 600; }
.none { color: var(--quiet); font-weight: 400; font-style: italic; }
.low .value::after { content: " ?"; color: var(--quiet); font-weight: 400; }
.worse { background: var(--bad-bg); }
.worse .value { color: var(--bad); }
.carrier { min-width: 130px; }
.carrier small { display: block; font-weight: 400; }

svg.spark, svg.shares { display: block; max-width: 100%; }
.line { fill: none; stroke: var(--spark); stroke-width: 1.4; stroke-linejoin: round; vector-effect: non-scaling-stroke; }
.dot { fill: var(--spark); }
.bar { fill: var(--bar); }
.bar-open { fill: var(--bar-open); }
.worse .line { stroke: var(--bad); }
.worse .dot { fill: var(--bad); }
.grid { stroke: var(--line); stroke-width: 1; }
.axis { fill: var(--quiet); font-size: 10.5px; }
.k-ok { fill: var(--ok); } .k-busy { fill: var(--busy); } .k-480 { fill: var(--c480); } .k-487 { fill: var(--c487); }
.k-number { fill: var(--number); } .k-refused { fill: var(--refused); } .k-none { fill: var(--none); }
.k-5xx { fill: var(--c5xx); } .k-other { fill: var(--other); }
.a-A { fill: var(--att-a); } .a-B { fill: var(--att-b); } .a-C { fill: var(--att-c); }
.a-none { fill: var(--att-none); } .a-malformed { fill: var(--att-malformed); }
.line.s-1 { stroke: var(--accent); } .line.s-2 { stroke: var(--c487); } .line.s-3 { stroke: var(--ok); }
.dot.s-1 { fill: var(--accent); } .dot.s-2 { fill: var(--c487); } .dot.s-3 { fill: var(--ok); }
.band { opacity: .18; stroke: none; } .band.s-1 { fill: var(--accent); } .band.s-2 { fill: var(--c487); } .band.s-3 { fill: var(--ok); }
.legend { display: flex; flex-wrap: wrap; gap: 2px 14px; margin: 2px 0 0; font-size: 12px; color: var(--quiet); }
.legend i { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 5px; vertical-align: -1px; background: var(--other); }
.legend i.k-ok, .legend i.s-3 { background: var(--ok); } .legend i.k-busy { background: var(--busy); }
.legend i.k-480 { background: var(--c480); } .legend i.k-487, .legend i.s-2 { background: var(--c487); }
.legend i.k-number { background: var(--number); } .legend i.k-refused { background: var(--refused); }
.legend i.k-none { background: var(--none); } .legend i.k-5xx { background: var(--c5xx); }
.legend i.bar { background: var(--bar); } .legend i.bar-open { background: var(--bar-open); } .legend i.s-1 { background: var(--accent); }
.legend i.a-A { background: var(--att-a); } .legend i.a-B { background: var(--att-b); } .legend i.a-C { background: var(--att-c); }
.legend i.a-none { background: var(--att-none); } .legend i.a-malformed { background: var(--att-malformed); }
section > .legend { margin: 6px 14px 12px; }
.chart { margin: 0; padding: 10px 14px 12px; background: var(--panel); border: 1px solid var(--line); border-radius: 8px; }
.chart svg { display: block; width: 100%; height: auto; margin-top: 6px; }
.chart details { margin-top: 6px; font-size: 12px; }
table.plain th, table.plain td { padding: 2px 10px 2px 0; font-size: 12px; }
table.fixed .shares { width: 100%; }
td.wide { min-width: 120px; }
table.fixed td.wide { width: 30%; }
table.fixed th, table.fixed td { padding-left: 7px; padding-right: 7px; }
table.fixed th:first-child { padding-left: 14px; }
td small { white-space: nowrap; }

.kpis { display: grid; grid-template-columns: repeat(auto-fill, minmax(232px, 1fr)); gap: 0; margin: 0; padding: 4px; }
.kpi { padding: 9px 12px; margin: 0; border-top: 1px solid var(--line); }
.kpi dt { font-size: 12.5px; color: var(--quiet); }
.kpi dd { margin: 0; }
.kpi .value { font-size: 18px; }
.kpi small { display: block; }
.kpi details { font-size: 12px; color: var(--quiet); }
.kpi summary { width: max-content; }
summary { cursor: pointer; color: var(--accent); }

pre {
  margin: 0; padding: 10px 12px; overflow-x: auto; background: var(--bg); border: 1px solid var(--line); border-radius: 6px;
  white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: plaintext;
}
pre.code { white-space: pre; overflow-wrap: normal; }
.steps { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 380px), 1fr)); gap: 14px; padding: 4px 14px 14px; }
.steps.three { grid-template-columns: repeat(auto-fit, minmax(min(100%, 260px), 1fr)); gap: 14px 40px; align-items: start; }
.steps h3 { margin: 6px 0; font-size: 13.5px; }
.steps > * { min-width: 0; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 330px), 1fr)); gap: 4px 28px; padding: 6px 14px 12px; }
.facts h3 { margin: 6px 0 4px; font-size: 13px; }
.facts dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 2px 14px; margin: 0; font-size: 13px; }
.facts dt { color: var(--quiet); }
.facts dd { margin: 0; overflow-wrap: anywhere; }

.alerts { list-style: none; padding: 0; }
section > .alerts { margin: 6px 0 0; }
.alerts li { padding: 8px 14px; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
.alerts .head { display: flex; flex-wrap: wrap; gap: 2px 10px; align-items: baseline; margin-bottom: 2px; }
.alerts .when { margin-left: auto; white-space: nowrap; font-size: 12.5px; }

.ladder { list-style: none; margin: 0; padding: 4px 14px 12px; }
.ladder li { display: grid; grid-template-columns: 76px 64px minmax(0, 1fr); gap: 2px 12px; padding: 5px 0; border-top: 1px solid var(--line); }
.ladder .at { text-align: right; white-space: nowrap; }
.ladder .at small { display: block; color: var(--quiet); font-size: 11px; }
.ladder .way { font-weight: 700; text-align: center; color: var(--accent); white-space: nowrap; }
.ladder .way.back { color: var(--c487); }
.ladder summary { font-weight: 600; overflow-wrap: anywhere; color: var(--ink); }
.ladder .ends { color: var(--quiet); font-size: 12px; overflow-wrap: anywhere; }
.ladder pre { margin: 6px 0; }
.ladder summary.k2 { color: var(--good); } .ladder summary.k4 { color: var(--bad); }
form.find { display: flex; flex-wrap: wrap; gap: 8px 12px; align-items: end; padding: 10px 14px; margin: 0; }
form.find label { font-size: 12px; color: var(--quiet); display: flex; flex-direction: column; gap: 2px; }
form.find .grow { flex: 1 1 260px; }
input, select, button {
  font: inherit; font-size: 13px; color: var(--ink); background: var(--bg); border: 1px solid var(--line); border-radius: 6px; padding: 4px 8px; min-height: 30px;
}
button { background: var(--accent); border-color: var(--accent); color: var(--panel); font-weight: 600; cursor: pointer; }
form.find details { flex-basis: 100%; }
form.find summary { cursor: pointer; font-size: 12.5px; color: var(--accent); }
form.find div.find { display: flex; flex-wrap: wrap; gap: 8px 12px; align-items: end; padding-top: 8px; }
.pager { padding: 8px 14px 12px; display: flex; flex-wrap: wrap; gap: 6px 18px; }
.why td, .why th { overflow-wrap: anywhere; }
.why th { font-weight: 500; white-space: nowrap; }
.ladder-box { margin: 6px 0; }
.ladder li:target { background: var(--stripe); outline: 2px solid var(--accent); outline-offset: 2px; }
.call-ladder { display: block; }
.call-ladder .ld-paper { fill: none; }
.call-ladder .ld-ink { fill: var(--ink); }
.call-ladder .ld-quiet { fill: var(--quiet); }
.call-ladder .ld-life { stroke: var(--line); }
.call-ladder .ld-request .ld-label, .call-ladder .ld-request .ld-tip { fill: var(--accent); }
.call-ladder .ld-request .ld-line { stroke: var(--accent); }
.call-ladder .ld-provisional .ld-label, .call-ladder .ld-provisional .ld-tip { fill: var(--quiet); }
.call-ladder .ld-provisional .ld-line { stroke: var(--quiet); }
.call-ladder .ld-success .ld-label, .call-ladder .ld-success .ld-tip { fill: var(--good); }
.call-ladder .ld-success .ld-line { stroke: var(--good); }
.call-ladder .ld-redirect .ld-label, .call-ladder .ld-redirect .ld-tip { fill: var(--warn); }
.call-ladder .ld-redirect .ld-line { stroke: var(--warn); }
.call-ladder .ld-failure .ld-label, .call-ladder .ld-failure .ld-tip,
.call-ladder .ld-unreadable .ld-label, .call-ladder .ld-unreadable .ld-tip { fill: var(--bad); }
.call-ladder .ld-failure .ld-line, .call-ladder .ld-unreadable .ld-line { stroke: var(--bad); }
.m-start { color: var(--accent); font-weight: 700; }
.m-name { color: var(--quiet); }
.m-body { color: var(--quiet); }
.m-body b { color: var(--ink); }
footer { display: flex; flex-wrap: wrap; gap: 4px 14px; max-width: 1500px; margin: 0 auto; padding: 0 20px 30px; color: var(--quiet); font-size: 12px; }
.slo .budget { min-width: 250px; }
button.pause { min-height: 26px; padding: 1px 9px; background: none; border-color: var(--line); color: var(--ink); font-weight: 500; }

@media (max-width: 760px) {
  main { padding: 10px 10px 30px; }
  .top { padding: 10px 12px; }
  .top .where, .top .pages, .top .ranges { flex: 1 1 100%; }
  .top .ranges { margin-left: -9px; }
  .top .sites { display: none; }
  footer { padding: 0 12px 24px; }
  .totals { grid-template-columns: repeat(3, 1fr); }
  .totals dd { font-size: 17px; }
  .cards thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .cards, .cards tbody, .cards tr, .cards caption { display: block; }
  .cards tr { display: grid; grid-template-columns: 1fr 1fr 1fr; gap: 2px 0; padding: 8px 10px; border-top: 1px solid var(--line); }
  .cards td > svg { max-width: 100%; }
  .cards td, .cards th { display: block; padding: 4px; border: 0; border-radius: 4px; text-align: left; min-width: 0; }
  .cards th, .cards td.wide, table.fixed td.wide { grid-column: 1 / -1; width: auto; }
  table.fixed th, table.fixed td, table.fixed th:first-child { padding: 4px; }
  .cards td::before { content: attr(data-label); display: block; font-size: 11px; color: var(--quiet); }
  .cards .cell { align-items: flex-start; }
  .cards .cell > span:not(.hidden) { display: flex; flex-direction: column-reverse; }
  .cards tbody { padding: 0; }
  .cards.slo td.num { text-align: left; }
  .slo .budget { min-width: 0; }
  .cards td.wide-att { grid-column: span 2; }
  .cards.why td { grid-column: 1 / -1; }
  .ladder li { grid-template-columns: 64px 30px minmax(0, 1fr); gap: 2px 8px; }
  .ladder .way span { display: none; }
}
@media print { .ranges, .chart details, footer { display: none; } section { break-inside: avoid; } }
`
