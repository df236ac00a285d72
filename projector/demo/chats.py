# ruff: noqa: E501, RUF001  # Chats in many scripts are the point of this module; they read best on one line.
"""What demo customers and agents say to each other, by language."""

from dataclasses import dataclass

Exchange = tuple[str, str]

_ITEMS = (
    "the starter package",
    "the modular kitchen",
    "our annual plan",
    "the family tour",
    "the solar kit",
    "the CRM add-on",
    "the wedding bundle",
    "the 2 BHK apartment",
    "the fleet policy",
    "the yoga retreat",
    "the espresso machine",
    "the online course",
)
_PRICES = ("₹4,999", "₹18,500", "₹1,25,000", "$49", "$1,200", "€89", "€2,450", "£350", "AED 900", "R$ 199")
_CITIES = (
    "Bengaluru",
    "Mumbai",
    "Delhi",
    "Dubai",
    "London",
    "São Paulo",
    "München",
    "Lagos",
    "Singapore",
    "Austin",
)


@dataclass(frozen=True, slots=True)
class Talk:
    """What is said in one language: a customer's message and the agent's answer to it, again and again.

    `{name}` in an opening is the customer's first name; the braces of an exchange stand for an item, a price
    and a city.
    """

    nameless: str
    openings: tuple[Exchange, ...]
    exchanges: tuple[Exchange, ...]

    def filled(self) -> list[Exchange]:
        """Return every exchange with a number of items, prices and cities in place of its braces."""
        pairs = []
        for asked, answered in self.exchanges:
            for filling, item in enumerate(_ITEMS):
                words = {
                    "item": item,
                    "price": _PRICES[filling * 7 % len(_PRICES)],
                    "city": _CITIES[filling * 3 % len(_CITIES)],
                }
                pairs.append((asked.format(**words), _sentence(answered.format(**words))))
        return pairs


def _sentence(text: str) -> str:
    """Begin with a capital, which `str.capitalize` would do at the cost of all others."""
    return text[0].upper() + text[1:]


TALKS: dict[str, Talk] = {
    "en": Talk(
        nameless="there",
        openings=(
            (
                "Hi, this is {name}",
                "Hello {name}! 👋 Thanks for reaching out. What are you looking for today?",
            ),
            (
                "hello, i saw your ad on instagram",
                "Hi {name}! Great that you found us. Which of our offers caught your eye?",
            ),
            (
                "Hi, my name is {name}. I would like some information please.",
                "Thanks, {name}! How can I help you today? May I have your email to send detailed docs?",
            ),
            (
                "Good morning, is anybody there?",
                "Good morning! I'm the assistant here, happy to help. May I know your name?",
            ),
            (
                "Interested, please call me back",
                "Of course! When would be a good time to call, and what should we talk about?",
            ),
            (
                "I got your number from a friend",
                "That's lovely to hear! Please thank them from us. What can I do for you, {name}?",
            ),
        ),
        exchanges=(
            (
                "What does {item} cost?",
                "{item} starts at {price}, installation included. Would you like a detailed quote by e-mail?",
            ),
            (
                "Do you have {item} in stock right now?",
                "Yes, we have {item} ready to ship from {city}. Delivery takes 3-5 working days.",
            ),
            (
                "Is {price} your best price? I was offered less elsewhere",
                "I understand. For orders this month I can offer 10% off, so about a tenth below {price}.",
            ),
            ("Can you deliver to {city}?", "We deliver to {city} twice a week. Which area is it exactly?"),
            (
                "My budget is around {price}",
                "Thank you! With {price} I would look at {item}. Shall I send you two options to compare?",
            ),
            (
                "Can someone visit us in {city} next week?",
                "Certainly. Our colleague is in {city} on Tuesday and Thursday. Which day suits you better?",
            ),
            (
                "How long is the warranty on {item}?",
                "Two years on {item}, extendable to five. I can send you the terms as a PDF.",
            ),
            (
                "ok let me discuss with my partner and get back",
                "Of course, take your time. I'll keep the quote open until the weekend.",
            ),
            (
                "Please send me the brochure",
                "Just sent it 📄 Let me know if it does not arrive within a few minutes!",
            ),
            (
                "We need {item} for about 40 people, is that possible?",
                "Yes, that is quite a usual size for us. What is your date, and is the venue in {city}?",
            ),
            (
                "Do you offer monthly instalments?",
                "We do: 3, 6 or 12 months without interest from {price}. Shall I check your eligibility?",
            ),
            (
                "thanks a lot, that was quick!",
                "You're very welcome! Is there anything else I can help you with? 😊",
            ),
            (
                "When can you start?",
                "We could start within ten days of confirmation. Does that fit your plans, or is it more urgent?",
            ),
            (
                "Not interested right now, maybe later",
                "No problem at all. May I check in with you again in a month?",
            ),
            (
                "I already paid but got no confirmation",
                "I'm sorry about that. Could you share the reference number? I'll look into it straight away.",
            ),
            (
                "Is the offer from last week still valid?",
                "Good news: it has been extended until Sunday, and {item} is part of it too.",
            ),
            (
                "can i get a demo of {item}",
                "Sure thing! I have slots tomorrow at 11:00 and 16:30. Which one should I book for you?",
            ),
            (
                "Who will be our contact after signing?",
                "You will have a named account manager in {city}, and me around the clock.",
            ),
            (
                "It's urgent, we open on Monday!!",
                "Understood, I'm marking this as urgent and a colleague will call you within the hour.",
            ),
            (
                "What's the difference between the basic and the premium plan?",
                "Premium adds priority support, reports and two more users.\nBasic is fine for small teams.\nShall I send the table?",
            ),
            (
                "Do you have references from {city}?",
                "Several! I can connect you with two customers in {city} who chose {item} last year.",
            ),
            (
                "My e-mail is on my profile, please use that one",
                "Perfect, noted. You'll find everything in your inbox shortly.",
            ),
            (
                "👍 sounds good to me",
                "Great! I'll prepare everything and get back to you before the end of the day.",
            ),
            (
                "Please don't call before 6pm, I'm at work",
                "Noted, calls only after 18:00. I'll pass that on to the team so that nobody disturbs you.",
            ),
            (
                "You sent me the wrong invoice, the amount is not what we agreed",
                "My apologies! A corrected invoice over {price} is on its way to you and to your accountant.",
            ),
            (
                "Could you compare {item} with what your competitor in {city} sells?",
                "Happy to. In short: ours comes with service on site and a longer warranty, theirs is a little cheaper to begin with.",
            ),
        ),
    ),
    "hi": Talk(
        nameless="जी",
        openings=(
            ("नमस्ते, मुझे जानकारी चाहिए", "नमस्ते {name}! बताइए, मैं आपकी क्या मदद कर सकता हूँ?"),
            ("नमस्ते, मेरा नाम {name} है", "धन्यवाद {name}! आप किस चीज़ में रुचि रखते हैं?"),
        ),
        exchanges=(
            ("ठीक है, कीमत क्या होगी?", "कीमत {price} से शुरू होती है। क्या मैं आपको कोटेशन भेज दूँ?"),
            ("क्या {city} में डिलीवरी होती है?", "जी हाँ, {city} में हफ़्ते में दो बार डिलीवरी होती है।"),
            ("मेरा बजट {price} के आसपास है", "समझ गया। इस बजट में दो अच्छे विकल्प हैं, क्या मैं भेज दूँ?"),
            ("kal baat karte hain, abhi busy hoon", "Bilkul! Kal kis samay call karna theek rahega? 🙏"),
            ("धन्यवाद, बहुत अच्छा लगा", "आपका स्वागत है! और कुछ मदद चाहिए तो ज़रूर बताइए।"),
        ),
    ),
    "es": Talk(
        nameless="amigo",
        openings=(
            (
                "Hola, quisiera información por favor",
                "¡Hola {name}! Claro que sí. ¿Qué producto te interesa?",
            ),
            ("Buenas tardes, soy {name}", "¡Buenas tardes, {name}! ¿En qué puedo ayudarte hoy?"),
        ),
        exchanges=(
            (
                "¿Cuánto cuesta y cuánto tarda el envío?",
                "Desde {price}; el envío tarda de 3 a 5 días. ¿A qué ciudad sería?",
            ),
            (
                "¿Hacen descuento por volumen?",
                "Sí, a partir de diez unidades hay un 12% de descuento. ¿Cuántas necesitas?",
            ),
            (
                "Mi presupuesto es de unos {price}",
                "Perfecto, con {price} hay dos opciones muy buenas. ¿Te las mando por correo?",
            ),
            ("Lo consulto con mi mujer y te digo", "¡Sin prisa! Te guardo la oferta hasta el domingo."),
            ("¿Puedo pagar a plazos?", "Claro, en 3, 6 o 12 meses sin intereses."),
        ),
    ),
    "pt": Talk(
        nameless="tudo bem",
        openings=(
            (
                "Oi, gostaria de saber os preços",
                "Oi, {name}! Que bom falar com você. Qual produto te interessa?",
            ),
            ("Olá, meu nome é {name}", "Olá, {name}! Em que posso ajudar hoje?"),
        ),
        exchanges=(
            (
                "Quanto custa o plano básico por mês?",
                "O plano básico custa {price} por mês, sem fidelidade. Posso enviar o contrato?",
            ),
            ("Vocês entregam em {city}?", "Entregamos sim! Para {city} o prazo é de até cinco dias úteis."),
            ("Não consegui abrir o link", "Desculpe! Acabei de mandar de novo, agora em PDF. Chegou?"),
            (
                "Preciso com urgência, até sexta-feira",
                "Entendi, vou marcar como urgente e um colega liga em até uma hora.",
            ),
        ),
    ),
    "fr": Talk(
        nameless="à vous",
        openings=(
            ("Bonjour, j'ai une question", "Bonjour {name} ! Avec plaisir, dites-moi tout."),
            ("Bonjour, je m'appelle {name}", "Enchanté, {name} ! Comment puis-je vous aider aujourd'hui ?"),
        ),
        exchanges=(
            (
                "C'est possible de payer en plusieurs fois ?",
                "Oui, en 3 ou 6 fois sans frais à partir de {price}.",
            ),
            (
                "Quel est le délai de livraison ?",
                "Comptez trois à cinq jours ouvrés. Dans quelle ville habitez-vous ?",
            ),
            (
                "Je n'ai pas reçu votre devis",
                "Toutes mes excuses, je vous le renvoie immédiatement. Votre adresse e-mail est-elle à jour ?",
            ),
            (
                "D'accord, je réfléchis encore un peu",
                "Prenez votre temps, l'offre reste valable jusqu'à dimanche.",
            ),
        ),
    ),
    "de": Talk(
        nameless="und willkommen",
        openings=(
            ("Hallo, ich habe eine Frage", "Hallo {name}! Gerne, worum geht es denn?"),
            ("Guten Tag, mein Name ist {name}", "Guten Tag, {name}! Wie kann ich Ihnen heute weiterhelfen?"),
        ),
        exchanges=(
            (
                "Können Sie mir ein Angebot schicken?",
                "Sehr gern! An welche E-Mail-Adresse darf ich das Angebot senden?",
            ),
            (
                "Was kostet das ungefähr?",
                "Es beginnt bei {price} inklusive Aufbau. Soll ich Ihnen die Einzelheiten zusammenstellen?",
            ),
            (
                "Liefern Sie auch nach Österreich?",
                "Ja, nach Österreich liefern wir jede Woche, die Versandkosten betragen 9,90 €.",
            ),
            (
                "Das muss ich erst mit meinem Mann besprechen",
                "Natürlich, das Angebot gilt noch bis Sonntag. Melden Sie sich jederzeit!",
            ),
        ),
    ),
    "ru": Talk(
        nameless="друг",
        openings=(
            ("Здравствуйте, есть вопрос по заказу", "Здравствуйте, {name}! Конечно, чем могу помочь?"),
            ("Добрый день, меня зовут {name}", "Добрый день, {name}! Что вас интересует?"),
        ),
        exchanges=(
            (
                "Сколько это будет стоить?",
                "Стоимость от {price}, доставка включена. Отправить вам подробный расчёт?",
            ),
            ("А есть рассрочка?", "Да, на 3, 6 или 12 месяцев без процентов."),
            ("Когда вы сможете приехать?", "На этой неделе в четверг или в пятницу. Какой день вам удобнее?"),
        ),
    ),
    "ar": Talk(
        nameless="بك",
        openings=(
            (
                "مرحبا، أريد الاستفسار عن الأسعار",
                "أهلاً {name}! يسعدنا تواصلك معنا. ما هو المنتج الذي تبحث عنه؟",
            ),
            ("السلام عليكم، معك {name}", "وعليكم السلام {name}! كيف يمكنني مساعدتك اليوم؟"),
        ),
        exchanges=(
            ("هل يمكن التوصيل إلى المنزل؟", "نعم، التوصيل مجاني داخل المدينة ويستغرق يومين إلى ثلاثة أيام."),
            ("كم السعر من فضلك؟", "يبدأ السعر من {price} شاملاً التركيب. هل أرسل لك عرضاً مفصلاً؟"),
            ("سأفكر في الأمر وأعود إليكم", "بكل سرور، العرض ساري حتى نهاية الأسبوع."),
        ),
    ),
    "zh": Talk(
        nameless="朋友",
        openings=(
            ("你好，我想咨询一下产品的情况", "您好{name}！很高兴为您服务，请问您对哪款产品感兴趣？"),
            ("您好，我叫{name}，想了解一下价格", "{name}您好！方便留一下您的邮箱吗？我把详细资料发给您。"),
        ),
        exchanges=(
            (
                "请问可以开发票吗？大概多久能到货？",
                "可以开具增值税发票，下单后三到五个工作日送达。您还有其他问题吗？",
            ),
            ("价格还能再优惠一点吗？", "本月下单可以享受九折优惠，到手价大约在{price}以内。"),
            ("好的，我和家人商量一下再联系你", "没问题，优惠会为您保留到本周日。"),
        ),
    ),
    "ja": Talk(
        nameless="お客",
        openings=(
            (
                "こんにちは、資料を送っていただけますか",
                "{name}様、お問い合わせありがとうございます。メールアドレスを教えていただけますか？",
            ),
            ("はじめまして、{name}と申します", "{name}様、はじめまして。本日はどのようなご用件でしょうか？"),
        ),
        exchanges=(
            ("見積もりをお願いできますか？", "もちろんです。ご希望の日程とご予算を教えていただけますか？"),
            ("納期はどのくらいかかりますか？", "ご注文から約一週間でお届けいたします。お急ぎでしょうか？"),
            (
                "少し検討してからまた連絡します",
                "かしこまりました。ご不明な点がございましたらいつでもどうぞ。",
            ),
        ),
    ),
}
