// Runs http-cache-tests: its origin, or its tests against a cache.
//
//     node conformance.mjs origin SUITE PORT
//     node conformance.mjs tests SUITE BASE [ID,ID...]
//
// SUITE is the folder in which the package lies.  The tests write JSON: what each gave,
// its kind, and the tests whose failure makes it worthless.

import http from 'node:http'
import { createRequire } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

const [command, suite, where, names] = process.argv.slice(2)
const load = file => import(pathToFileURL(path.join(suite, file)))

// So many at a time: all of them pause for three seconds between two requests.
const AT_ONCE = 60

async function origin () {
  process.env.npm_config_protocol = 'http'
  process.env.npm_config_port = where
  process.env.npm_config_pidfile = path.resolve('origin.pid')
  // It would listen to everybody.
  const listen = http.Server.prototype.listen
  http.Server.prototype.listen = function (port) { return listen.call(this, port, '127.0.0.1') }
  await load('server/server.mjs')
}

async function tests () {
  const { runTests, getResults } = await load('client/runner.mjs')
  const suites = (await load('tests/index.mjs')).default
  const fetch = createRequire(path.join(suite, 'package.json'))('node-fetch')
  const wanted = names ? new Set(names.split(',')) : null
  const chosen = suites.map(each => ({
    ...each, tests: each.tests.filter(test => !wanted || wanted.has(test.id))
  }))
  await runTests(chosen, fetch, false, where, AT_ONCE)
  const results = getResults()
  const about = {}
  for (const { tests } of suites) {
    for (const { id, kind, depends_on: needs } of tests) {
      if (id in results) {
        about[id] = { kind: kind || 'required', needs: needs || [], result: results[id] }
      }
    }
  }
  process.stdout.write(JSON.stringify(about))
}

await (command === 'origin' ? origin() : tests())
