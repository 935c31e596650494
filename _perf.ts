import { Effect, Layer, Fiber } from "effect"
import { DatabaseSync } from "node:sqlite"
import fs from "node:fs"
import * as Sqlite from "./src/storage/sqlite/index.ts"
import * as T from "./src/topics/index.ts"
const payload = Buffer.alloc(100, 7)
const bare = (n: number) => { fs.rmSync("/tmp/pf",{recursive:true,force:true}); fs.mkdirSync("/tmp/pf"); const db = new DatabaseSync("/tmp/pf/b.db"); db.exec("pragma journal_mode=wal; pragma synchronous=full; create table m(position integer primary key, log integer not null, off integer not null, id text not null, created_at integer not null, deleted integer not null, headers text, payload blob) strict; create unique index mi on m(log, off);"); const st=db.prepare("insert into m values(?,?,?,?,?,0,?,?)"); const t=performance.now(); for(let b=0;b<n/1000;b++){ db.exec("begin immediate"); for(let i=1;i<=1000;i++){const p=b*1000+i; st.run(p,1,p,"0d1f0c1e-1111-4111-8111-111111111111",1700000000000,null,payload)} db.exec("commit") } const r= n/(performance.now()-t)*1000|0; db.close(); return r }
const which = process.argv[2] ?? "layer"
const one = async () => {
  fs.rmSync("/tmp/pf2",{recursive:true,force:true}); fs.mkdirSync("/tmp/pf2")
  const layer = T.layer.pipe(Layer.provide((Sqlite as any)[which]({path: "/tmp/pf2/a.db"}))) as Layer.Layer<T.Topics>
  return await Effect.runPromise(Effect.gen(function*(){
    const topics = yield* T.Topics
    const P=1000, PER=100
    const loop = Effect.gen(function*(){ for (let j=0;j<PER;j++) yield* topics.publish("bench", payload) })
    const go = Effect.gen(function*(){ const t=performance.now(); const fs=yield* Effect.forEach(Array.from({length:P}),()=>Effect.forkChild(loop)); yield* Fiber.awaitAll(fs); return P*PER/(performance.now()-t)*1000|0 })
    yield* go
    const concurrent = yield* go
    const drafts = Array.from({length:1000},()=>({topic:"bench",payload}))
    const t=performance.now(); for(let i=0;i<100;i++) yield* topics.publishAll(drafts); const all = 100000/(performance.now()-t)*1000|0
    const t2=performance.now(); for(let i=0;i<300;i++) yield* topics.publish("bench",payload); const lone=(performance.now()-t2)/300
    return {concurrent, all, lone}
  }).pipe(Effect.provide(layer)))
}
for (let i=0;i<1;i++) { const b=bare(100000); const r=await one(); console.log(b, r, (r.concurrent/b).toFixed(2), (r.all/b).toFixed(2)) }
