/** A bar chart as SVG, for pages. The scale is logarithmic, for what is compared may differ by a hundred times. */
export interface BarChart {
  title: string;
  bars: readonly { name: string; value: number }[];
}

const LABEL_WIDTH = 330;
const BAR_WIDTH = 400;
const VALUE_WIDTH = 90;
const ROW_HEIGHT = 24;
const HEAD_HEIGHT = 40;
/** Under it bars have no length. */
const LEAST = 10;

export function barChart({ title, bars }: BarChart): string {
  const top = Math.max(LEAST * 10, ...bars.map(({ value }) => value));
  const lengthOf = (value: number) =>
    (BAR_WIDTH * Math.log10(Math.max(value, LEAST) / LEAST)) / Math.log10(top / LEAST);
  const rows = bars.map(({ name, value }, index) => {
    const y = HEAD_HEIGHT + index * ROW_HEIGHT;
    const length = Math.max(1, Math.round(lengthOf(value)));
    return [
      `  <text x="${LABEL_WIDTH - 8}" y="${y + 16}" text-anchor="end">${escaped(name)}</text>`,
      `  <rect x="${LABEL_WIDTH}" y="${y + 4}" width="${length}" height="${ROW_HEIGHT - 8}" fill="#2f6f9f"/>`,
      `  <text x="${LABEL_WIDTH + length + 6}" y="${y + 16}">${Math.round(value).toLocaleString('en')}</text>`,
    ].join('\n');
  });
  const width = LABEL_WIDTH + BAR_WIDTH + VALUE_WIDTH;
  const height = HEAD_HEIGHT + bars.length * ROW_HEIGHT + 8;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">
  <rect width="${width}" height="${height}" fill="#ffffff"/>
  <text x="${LABEL_WIDTH}" y="24" font-size="14">${escaped(title)} (logarithmic)</text>
${rows.join('\n')}
</svg>
`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
