/** Set-up of every test file: properties begin at one seed, so that a run can be repeated. A soak gives another. */
import fc from 'fast-check';
import { SEED } from './budget.ts';

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: SEED });
