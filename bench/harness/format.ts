/** `45 210`: thousands apart by a narrow gap, three digits where there are fewer. */
export function showRate(value: number): string {
  if (value < 100) return value.toPrecision(3);
  return String(Math.round(value)).replaceAll(/\B(?=(\d{3})+$)/g, ' ');
}

export function showMs(ms: number): string {
  return ms < 10 ? ms.toFixed(2) : showRate(ms);
}

export function showFigure(value: number, unit: string): string {
  const digits = value < 100 ? value.toFixed(2) : showRate(value);
  return unit === '' ? digits : `${digits} ${unit}`;
}
