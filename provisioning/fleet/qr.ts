import qrcode from 'qrcode-generator';

/** Error correction M: a smudge on paper may cost 15 % of the modules. */
function modulesOf(text: string): boolean[][] {
  const code = qrcode(0, 'M');
  code.addData(text, 'Byte');
  code.make();
  const size = code.getModuleCount();
  return Array.from({ length: size }, (_, row) =>
    Array.from({ length: size }, (_, column) => code.isDark(row, column)),
  );
}

const quietZone = 4;

/** For a terminal: two rows of modules a line, dark on light whatever the terminal's colours. */
export function qrText(text: string): string {
  const modules = modulesOf(text);
  const size = modules.length + 2 * quietZone;
  const dark = (row: number, column: number) => modules[row - quietZone]?.[column - quietZone] ?? false;
  const halves = [' ', '▀', '▄', '█'];
  const lines: string[] = [];
  for (let row = 0; row < size; row += 2) {
    let line = '';
    for (let column = 0; column < size; column += 1) {
      line += halves[(dark(row, column) ? 0 : 1) + (dark(row + 1, column) ? 0 : 2)];
    }
    lines.push(line);
  }
  return lines.join('\n');
}

/** One path, so that it scales to a phone and prints sharply; black on white in both themes. */
export function qrSvg(text: string): string {
  const modules = modulesOf(text);
  const size = modules.length + 2 * quietZone;
  const squares = modules.flatMap((line, row) =>
    line.flatMap((dark, column) => (dark ? [`M${column + quietZone} ${row + quietZone}h1v1h-1z`] : [])),
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size} ${size}" role="img" aria-label="QR code"><path fill="#fff" d="M0 0h${size}v${size}H0z"/><path d="${squares.join('')}"/></svg>`;
}
