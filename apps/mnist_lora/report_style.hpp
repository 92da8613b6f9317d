#pragma once
// The style sheet of report.html.

namespace mnist_lora {

inline constexpr const char* kReportStyle = R"css(
:root { color-scheme: light dark; --page: #f4f5f7; --card: #ffffff; --ink: #1f2933; --muted: #5b6470; --line: #e1e4e8;
  --head: #f7f8fa; --accent: #0072b2; --notice: #fff6e0; --notice-line: #e0a800; }
@media (prefers-color-scheme: dark) {
  :root { --page: #14171c; --card: #1d2229; --ink: #e6e9ed; --muted: #9aa5b1; --line: #323a44; --head: #232a33; --accent: #6cb8ee;
    --notice: #322a14; --notice-line: #b98a00; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 system-ui, "DejaVu Sans", Verdana, sans-serif; }
main { max-width: 1100px; margin: 0 auto; padding: 40px 24px 56px; }
header { margin-bottom: 28px; }
h1 { margin: 0 0 10px; font-size: 30px; line-height: 1.2; letter-spacing: -0.01em; }
h2, h3 { margin: 40px 0 14px; font-size: 20px; line-height: 1.3; }
h2.part { margin: 0 0 10px; font-size: 26px; letter-spacing: -0.01em; }
section { margin-top: 56px; padding-top: 36px; border-top: 1px solid var(--line); }
section .summary { margin-bottom: 24px; }
nav ul { display: flex; flex-wrap: wrap; gap: 8px 24px; margin: 0 0 28px; padding: 0; list-style: none; }
a { color: var(--accent); text-underline-offset: 3px; }
.summary { margin: 0; max-width: 76ch; color: var(--muted); font-size: 17px; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(170px, 1fr)); gap: 14px; margin: 0; padding: 0; list-style: none; }
.cards li { padding: 16px 18px; background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
.cards strong { display: block; font-size: 26px; line-height: 1.25; color: var(--accent); font-variant-numeric: tabular-nums; white-space: nowrap; }
.cards span { display: block; margin-top: 2px; font-size: 14px; line-height: 1.4; color: var(--muted); }
.notice { margin: 20px 0 0; padding: 12px 16px; background: var(--notice); border-left: 4px solid var(--notice-line); border-radius: 6px; }
figure { margin: 0 0 22px; }
.plot { overflow-x: auto; background: #fcfcfb; border: 1px solid var(--line); border-radius: 12px; }
.plot svg { display: block; width: 100%; min-width: 620px; max-width: 1000px; height: auto; margin: 0 auto; }
figcaption, .note { margin: 8px 2px 0; font-size: 14px; color: var(--muted); }
.table { margin-bottom: 26px; }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
table { width: 100%; border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; }
caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
th, td { padding: 8px 12px; text-align: left; white-space: nowrap; border-bottom: 1px solid var(--line); }
th { font-weight: 600; }
thead th { background: var(--head); color: var(--muted); font-size: 13px; vertical-align: bottom; white-space: normal; min-width: 64px; }
tbody th { position: sticky; left: 0; background: var(--card); }
.number { text-align: right; }
tbody tr:last-child > * { border-bottom: 0; }
td strong { color: var(--accent); }
.settings td, .settings tbody th { white-space: normal; overflow-wrap: anywhere; }
.settings tbody th { position: static; width: 180px; min-width: 110px; color: var(--muted); }
.settings td { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 13.5px; }
footer { margin-top: 36px; padding-top: 14px; border-top: 1px solid var(--line); font-size: 14px; color: var(--muted); }
footer p { margin: 0 0 6px; max-width: 90ch; }
@media (max-width: 560px) {
  main { padding: 24px 14px 40px; } h1 { font-size: 24px; } .summary { font-size: 16px; } h2, h3 { margin-top: 30px; }
  h2.part { margin-top: 0; font-size: 22px; } section { margin-top: 40px; padding-top: 28px; }
  .cards { grid-template-columns: 1fr 1fr; gap: 10px; } .cards li { padding: 12px 14px; } .cards strong { font-size: 21px; }
}
@media print { body { background: #ffffff; } figure, .table, .cards li { break-inside: avoid; } .plot svg { min-width: 0; } }
)css";

}  // namespace mnist_lora
