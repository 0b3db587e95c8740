// SPDX-License-Identifier: Apache-2.0
// The code page in which programs of this system write. GetOEMCP() and GetACP() do not tell: this program's
// manifest makes them UTF-8 for this process alone; nor does the console's, which is set for what this
// program writes itself. A run's programs have a console of their own, which begins with the page of the
// system. Safe from any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hostclaw::node_host {

// The OEM code page of the system, as it was set when Windows started; 850 in western Europe. 65001 where the
// owner has made UTF-8 the system's.
unsigned int system_oem_code_page();

// The text as UTF-8 when all of it has a meaning in that page; `cut`: the end may be missing. Nothing for
// UTF-8, and for pages that Windows cannot read strictly.
std::optional<std::string> text_from_code_page(unsigned int page, std::string_view bytes, bool cut);

}  // namespace hostclaw::node_host
