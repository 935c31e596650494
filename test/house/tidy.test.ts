/** The project keeps its rules of form, and each rule is seen to find what breaks it. */
import { describe, expect, it } from "vitest"
import { projectFiles } from "./project.ts"
import * as Tidiness from "./tidiness.ts"

// The rules themselves, and the examples here, say what must not be said.
const files = projectFiles().filter(({ path }) => !/^test\/house\/tid(y\.test|iness)\.ts$/.test(path))

describe("everywhere in the project", () => {
  it.each(Object.entries(Tidiness.rules))("%s", (_, rule) => {
    expect(files.flatMap(rule)).toEqual([])
  })
})

const file = (path: string, text = "") => ({ path, text })
const long = "x".repeat(150)

describe("a rule finds", () => {
  it.each([
    ["a name that says nothing", Tidiness.nameSaysSomething, file("src/topics/utils.ts")],
    ["a folder of such a name", Tidiness.nameSaysSomething, file("test/helpers/world.ts")],
    ["a long file", Tidiness.fileIsShort, file("test/a.test.ts", "\n".repeat(400) + "a")],
    ["a long line", Tidiness.linesAreShort, file("src/a.ts", `call(${long})`)],
    ["a long comment", Tidiness.linesAreShort, file("src/a.ts", ` * "${long}"`)],
    ["a source that does not say what it is for", Tidiness.beginsWithItsPurpose, file("src/a.ts", `import "./b.ts"`)],
    ["an empty beginning", Tidiness.beginsWithItsPurpose, file("src/a.ts", `/** */\nimport "./b.ts"`)],
    ["a source that prints", Tidiness.nothingIsPrinted, file("src/a.ts", "console.log(1)")],
    ["a source that reads the clock", Tidiness.timeIsGiven, file("src/a.ts", "const now = Date.now()")],
    ["what was put off", Tidiness.nothingIsPutOff, file("bench/a.ts", "// TODO: faster")],
    ["a test left as the only one", Tidiness.everyTestRuns, file("test/a.test.ts", `it.only("x", () => {})`)],
    ["a test that is skipped", Tidiness.everyTestRuns, file("src/testing/a.ts", `it.live.skip("x", () => {})`)],
    ["a test in a place of its own", Tidiness.testsAreFound, file("src/topics/a.test.ts")],
    ["a test by another name", Tidiness.testsAreFound, file("test/topics/a.spec.ts")],
    ["a path of one machine", Tidiness.noMachineIsMentioned, file("docs/a.md", "cd /root/millrace")],
    ["a registry", Tidiness.noMachineIsMentioned, file(".npmrc", "registry=https://registry.npmjs.org/")],
    ["a host in the lockfile", Tidiness.lockfileNamesNoHost, file("package-lock.json", `  "resolved": "https://x",`)],
  ])("%s", (_, rule, broken) => {
    expect(rule(broken)).toHaveLength(1)
  })

  it("nothing in what is as it should be", () => {
    const fine = [
      file("src/topics/layer.ts", `/**\n * Topics.\n */\nconst text = "${long}"\n`),
      file("src/index.ts", `/** The front door. */\nexport * from "./a.ts"\n`),
      file("src/protocol/grpc/gen/a_pb.ts", `${long}\n`.repeat(500)),
      file("test/topics/a.test.ts", `it.live.skipIf(isRoot)("x", () => expect(text).toMatch(/${long}/))\n`),
      file("docs/guide.md", "Look at /var/lib/millrace, or work/root/here."),
    ]
    expect(fine.flatMap((one) => Object.values(Tidiness.rules).flatMap((rule) => rule(one)))).toEqual([])
  })
})
