// SPDX-License-Identifier: Apache-2.0
// The release that is played beside the newest and the oldest: another one each day.
import { turnOf } from './lib/packages.mjs';

console.log(turnOf(new Date()));
