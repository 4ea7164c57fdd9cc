// Records what Hugging Face's tokenizers make of cases.json (README.md).
const { Tokenizer } = require('@anush008/tokenizers');
const fs = require('fs');

(async () => {
  const texts = JSON.parse(fs.readFileSync('cases.json', 'utf8'));
  const names = fs.readdirSync('.').filter((name) => name.endsWith('.json'));
  const expected = {};
  for (const name of names) {
    if (name === 'cases.json' || name === 'expected.json') continue;
    const tokenizer = Tokenizer.fromFile(name);
    expected[name] = [];
    for (const text of texts) {
      const encoding = await tokenizer.encode(text, null, { addSpecialTokens: true });
      expected[name].push(Array.from(encoding.getIds()));
    }
  }
  fs.writeFileSync('expected.json', '{\n' + Object.entries(expected)
    .map(([name, rows]) => `"${name}": [\n${rows.map((row) => JSON.stringify(row)).join(',\n')}]`).join(',\n') + '}\n');
})();
