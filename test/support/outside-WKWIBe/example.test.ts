import { needs } from '../outside-programs.js'
   needs('node', 'no-such-program', 'nor-this')('an example', () => { throw new Error('was run') })