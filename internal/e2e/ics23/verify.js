// Verifies proofs with the npm package @confio/ics23, unmodified: reads a JSON list of cases from the file
// named on the command line and prints, as JSON, what the package says of each: "holds", "refused", or
// "incomplete" for an absence it cannot judge (see below).
//
// The package's smtSpec is that of a tree whose keys are hashes already, while the newer SmtSpec of ics23 in Go
// hashes the keys itself. Both make the same leaves, so a key is given to the package as its SHA-256, and so
// are the keys in the proof. Nothing else is changed.
"use strict";

const crypto = require("crypto");
const fs = require("fs");
const { ics23, verifyMembership, verifyNonMembership } = require("@confio/ics23");
const { smtSpec } = require("@confio/ics23/build/proofs");

const sha256 = (data) => new Uint8Array(crypto.createHash("sha256").update(data).digest());
const bytes = (text) => new Uint8Array(Buffer.from(text, "base64"));

// hashKeys puts the hash of its key into a proof that a key exists.
function hashKeys(exist) {
  if (!exist) return;
  if (exist.leaf.prehashKey !== ics23.HashOp.SHA256) throw new Error("the leaf's key is not hashed");
  exist.key = sha256(exist.key);
  exist.leaf.prehashKey = ics23.HashOp.NO_HASH;
}

// emptySibling: absence is shown by two neighbours. This version of the package does not know empty subtrees,
// which a neighbour may have beside it, and then refuses a right proof. It never accepts a wrong one.
function emptySibling(nonexist) {
  const zero = Buffer.alloc(32);
  const path = (exist) => (exist ? exist.path : []);
  return [...path(nonexist.left), ...path(nonexist.right)].some(
    (op) => zero.equals(Buffer.from(op.suffix || [])) || zero.equals(Buffer.from(op.prefix).subarray(1)),
  );
}

function judge(c) {
  let proof;
  try {
    proof = ics23.CommitmentProof.decode(bytes(c.ics23));
    hashKeys(proof.exist);
    if (proof.nonexist) {
      hashKeys(proof.nonexist.left);
      hashKeys(proof.nonexist.right);
    }
  } catch (e) {
    return "refused"; // it is not even a proof
  }
  const root = bytes(c.root);
  const key = sha256(bytes(c.key));
  if (c.value !== null) return verifyMembership(proof, smtSpec, root, key, bytes(c.value)) ? "holds" : "refused";
  if (verifyNonMembership(proof, smtSpec, root, key)) return "holds";
  return proof.nonexist && emptySibling(proof.nonexist) ? "incomplete" : "refused";
}

const cases = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
process.stdout.write(JSON.stringify(cases.map(judge)) + "\n");
