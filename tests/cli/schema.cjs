// schema.cjs SCHEMA <DOCUMENT            valid or not: says why, exits 1
// schema.cjs --canonical <DOCUMENT       prints its RFC 8785 form, as npm's canonicalize has it
// schema.cjs SCHEMA --each <LINES        prints "valid" or "invalid" for each line
// NODE_PATH is the folder that tests/npm names.
const fs = require('fs');

const text = fs.readFileSync(0, 'utf8');
if (process.argv[2] === '--canonical') {
  const canonicalize = require('canonicalize');
  process.stdout.write((canonicalize.default || canonicalize)(JSON.parse(text)));
  process.exit(0);
}

const schema = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
const ours = !schema.$schema.includes('draft-04'); // SARIF's, which is not strict either
const Ajv = ours ? require('ajv/dist/2020') : require('ajv-draft-04');
const ajv = new Ajv({
  strict: ours, unicodeRegExp: ours, strictTypes: false, validateFormats: false, allErrors: true,
});
const validate = ajv.compile(schema);
if (process.argv[3] === '--each') {
  for (const line of text.split('\n').filter(Boolean))
    console.log(validate(JSON.parse(line)) ? 'valid' : 'invalid');
} else if (!validate(JSON.parse(text))) {
  console.error(ajv.errorsText(validate.errors, { separator: '\n' }));
  process.exit(1);
}
