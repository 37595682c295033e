/**
 * The style of a scorecard, which stands in the document itself: it is printed, mailed and kept, far from /style.css. On
 * screen dark and light by the reader's setting; on paper black on white, A4, with the marks that must not be lost in grey
 * (grades, changes) told by words as well.
 */
export const SCORECARD_STYLE = `
:root {
  color-scheme: light dark;
  --bg: #ffffff; --ink: #17202b; --quiet: #5a6878; --line: #d5dce4; --soft: #f3f6f9; --accent: #1c62d1;
  --bad: #b32424; --bad-bg: #fdecea; --warn: #7d5200; --warn-bg: #fff5dc; --good: #17693f; --good-bg: #e6f4ec;
  --spark: #3b6fb6; --att-a: #1f5fc4; --att-b: #7ba5e8; --att-c: #bcd2f2; --att-none: #b4bcc6; --att-malformed: #cf4444;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --bg: #0f151d; --ink: #dbe3ec; --quiet: #93a2b4; --line: #2a3644; --soft: #17202b; --accent: #6aa8ff;
    --bad: #ff8a84; --bad-bg: #391a1c; --warn: #e5b84d; --warn-bg: #32280f; --good: #5ecb96; --good-bg: #12301f;
    --spark: #6ea3e8; --att-a: #5b9bff; --att-b: #3a6cb8; --att-c: #2b528c; --att-none: #66717e; --att-malformed: #d24b4b;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 22px 24px 40px; max-width: 1060px; background: var(--bg); color: var(--ink);
  font: 13.5px/1.45 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; font-variant-numeric: tabular-nums;
}
h1 { margin: 0; font-size: 23px; line-height: 1.2; overflow-wrap: anywhere; }
h2 { margin: 26px 0 6px; font-size: 15.5px; }
.title { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 8px; margin: 26px 0 6px; }
.title h2, .title p { margin: 0; }
.title p { font-size: 12.5px; min-width: 0; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
p { margin: 4px 0 8px; }
.quiet, small { color: var(--quiet); }
small { font-size: 11.5px; }
.bad { color: var(--bad); } .good { color: var(--good); } .warn { color: var(--warn); }
.head { display: flex; gap: 20px; align-items: flex-start; border-bottom: 2px solid var(--ink); padding-bottom: 14px; }
.head > div { min-width: 0; flex: 1 1 auto; }
.head > .grade { flex: 0 0 auto; text-align: center; border: 2px solid currentColor; border-radius: 10px; padding: 4px 16px 8px; }
.grade b { display: block; font-size: 44px; line-height: 1.05; }
.grade small { display: block; }
.grade-A, .grade-B { color: var(--good); } .grade-C, .grade-D { color: var(--warn); } .grade-F { color: var(--bad); } .grade-NR { color: var(--quiet); }
td.grade-cell b { font-size: 17px; }
.note { border-left: 3px solid var(--warn); background: var(--warn-bg); padding: 6px 12px; margin: 12px 0; }
.scroll { overflow-x: auto; position: relative; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; color: var(--quiet); font-size: 12px; padding-bottom: 4px; }
th, td { padding: 4px 8px; text-align: left; vertical-align: top; border-top: 1px solid var(--line); }
thead th { border-top: 0; border-bottom: 1px solid var(--ink); font-size: 11.5px; font-weight: 600; vertical-align: bottom; }
tbody th { font-weight: 600; overflow-wrap: break-word; min-width: 70px; }
th:first-child, td:first-child { padding-left: 0; }
.num { text-align: right; white-space: nowrap; }
thead th.num { white-space: normal; }
.nowrap { white-space: nowrap; }
td small, th small { display: block; white-space: nowrap; font-weight: 400; }
.none { color: var(--quiet); font-style: italic; }
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); gap: 0 34px; }
ul.plain { margin: 4px 0 8px; padding-left: 18px; }
svg { display: block; max-width: 100%; }
svg.spark { height: 20px; margin-left: auto; }
.line { fill: none; stroke: var(--spark); stroke-width: 1.4; stroke-linejoin: round; }
.dot { fill: var(--spark); }
.a-A { fill: var(--att-a); } .a-B { fill: var(--att-b); } .a-C { fill: var(--att-c); }
.a-none { fill: var(--att-none); } .a-malformed { fill: var(--att-malformed); }
.legend { display: flex; flex-wrap: wrap; gap: 2px 16px; margin: 6px 0 0; font-size: 12px; }
.legend svg { display: inline-block; margin-right: 5px; vertical-align: -1px; }
.appendix td, .appendix th { font-size: 12px; }
footer { margin-top: 26px; border-top: 1px solid var(--line); padding-top: 8px; font-size: 12px; color: var(--quiet); }
@media screen and (max-width: 640px) {
  .appendix td:nth-child(2) { min-width: 240px; } .appendix td:nth-child(3) { min-width: 130px; }
  body { padding: 14px 12px 30px; }
  .head { flex-wrap: wrap-reverse; }
  .two { grid-template-columns: minmax(0, 1fr); }
}
@page { size: A4; margin: 14mm 13mm 16mm; @bottom-right { content: counter(page) " / " counter(pages); font: 9px sans-serif; color: #5a6878; } }
@media print {
  :root { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { padding: 0; max-width: none; font-size: 10.5px; }
  h1 { font-size: 19px; } h2 { font-size: 13px; margin-top: 16px; break-after: avoid; }
  .title { margin-top: 16px; break-after: avoid; }
  .title h2 { margin: 0; }
  .title p, caption, small, .legend, .appendix td, .appendix th, thead th { font-size: 9px; }
  th, td { padding: 2.5px 6px; }
  tr, .head, .note, section { break-inside: avoid; }
  section.long, .appendix { break-inside: auto; }
  thead { display: table-header-group; }
  .scroll { overflow: visible; }
  .two { grid-template-columns: 1fr 1fr; gap: 0 22px; }
  .two table { font-size: 9.5px; }
  .appendix { break-before: page; }
  .appendix th, .appendix td { padding: 1.5px 5px; }
  .appendix th small { display: inline; margin-left: 4px; }
  footer { font-size: 9px; margin-top: 12px; padding-top: 4px; }
  a { color: inherit; text-decoration: none; }
}
`
