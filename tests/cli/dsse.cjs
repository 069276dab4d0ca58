// dsse.cjs ENVELOPE KEYID PEM      verifies one signature with sigstore's own libraries: prints the
//                                  payload, or says why not and exits 1
// NODE_PATH is the folder that tests/npm names.
const fs = require('fs');
const { bundleFromJSON } = require('@sigstore/bundle');
const { Verifier, toSignedEntity, toTrustMaterial } = require('@sigstore/verify');

const [, , file, keyid, pem] = process.argv;
const envelope = JSON.parse(fs.readFileSync(file, 'utf8'));
const signature = envelope.signatures.find((s) => s.keyid === keyid);
if (!signature) {
  console.error(`no signature by ${keyid}`);
  process.exit(1);
}
// A sigstore bundle holds one signature; its key is named by a hint.
const bundle = bundleFromJSON({
  mediaType: 'application/vnd.dev.sigstore.bundle+json;version=0.2',
  verificationMaterial: { publicKey: { hint: keyid }, tlogEntries: [] },
  dsseEnvelope: { ...envelope, signatures: [signature] },
});
const der = Buffer.from(
  fs.readFileSync(pem, 'utf8').replace(/-----[^-]+-----|\s/g, ''), 'base64',
);
const nothing = { certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [] };
const material = toTrustMaterial(nothing, { [keyid]: { rawBytes: der } });
const verifier = new Verifier(material, { tlogThreshold: 0, ctlogThreshold: 0, tsaThreshold: 0 });
try {
  verifier.verify(toSignedEntity(bundle));
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
process.stdout.write(bundle.content.dsseEnvelope.payload);
