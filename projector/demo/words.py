# ruff: noqa: RUF001  # Names of many scripts are the point of this module.
"""The words that demo people, companies and addresses are made of."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Region:
    """Where a lead is from: how its phone number starts, and what people are called there.

    A name is a pair: as it is written, and in the letters of an e-mail address.
    Nine more digits follow `dialing` in a phone number.
    """

    dialing: str
    first_names: tuple[tuple[str, str], ...]
    last_names: tuple[tuple[str, str], ...]
    joint: str = " "
    family_first: bool = False
    language: str = "en"


def _plain(names: str) -> tuple[tuple[str, str], ...]:
    """Names that an e-mail address can spell as they are."""
    return tuple((name, name.lower()) for name in names.split())


def _spelled(names: str) -> tuple[tuple[str, str], ...]:
    """Names given as `written=spelled`, where `_` stands for a blank."""
    pairs = (name.split("=") for name in names.split())
    return tuple((written.replace("_", " "), spelled) for written, spelled in pairs)


# A region stands here as often as its people are met, compared to the others.
REGIONS: tuple[Region, ...] = (
    *(
        Region(
            "919",
            _plain(
                "Aarav Aditi Ananya Arjun Deepak Divya Farhan Gaurav Harsh Ishaan Kavya Kiran Lakshmi Manish "
                "Meera Neha Nikhil Pooja Pranav Priya Rahul Riya Rohan Sanjay Shreya Sneha Suresh Tanvi Varun "
                "Vikram",
            ),
            (
                *_plain(
                    "Agarwal Bansal Chopra Desai Gupta Iyer Jain Joshi Kapoor Khan Kulkarni Kumar Malhotra Mehta "
                    "Menon Nair Patel Pillai Rao Reddy Sharma Shetty Singh Srinivasan Verma",
                ),
                *_spelled("D'Souza=dsouza D'Costa=dcosta"),
            ),
        ),
    )
    * 5,
    Region(
        "918",
        _spelled(
            "सिद्धार्थ=siddharth प्रिया=priya अमित=amit काव्या=kavya रोहन=rohan अंजलि=anjali विकास=vikas नेहा=neha "
            "सुनील=sunil पूजा=pooja",
        ),
        _spelled("शर्मा=sharma वर्मा=verma गुप्ता=gupta सिंह=singh मिश्रा=mishra यादव=yadav जोशी=joshi पटेल=patel"),
        language="hi",
    ),
    Region(
        "447",
        _plain(
            "Alice Amelia Charlotte Daniel Edward Emily George Grace Harry Isla Jack James Lucy Oliver Poppy "
            "Thomas William",
        ),
        (
            *_plain(
                "Bennett Clarke Davies Evans Foster Hughes Jones Khan Murray Patel Roberts Taylor Walker Wright"
            ),
            *_spelled("Smith-Jones=smith-jones"),
        ),
    ),
    Region(
        "3538",
        _spelled(
            "Aoife=aoife Seán=sean Siobhán=siobhan Niamh=niamh Ciarán=ciaran Róisín=roisin Oisín=oisin Eoin=eoin "
            "Gráinne=grainne",
        ),
        _spelled(
            "O'Brien=obrien O'Connor=oconnor O'Neill=oneill Murphy=murphy Kelly=kelly Ó_Dálaigh=odalaigh "
            "Fitzgerald=fitzgerald",
        ),
    ),
    *(
        Region(
            "16",
            _plain(
                "Aaliyah Ashley Brandon Carlos Dana Emma Ethan Hannah Jasmine Jordan Logan Madison Mason Mia Noah "
                "Olivia Tyler Zoe",
            ),
            (
                *_plain(
                    "Anderson Brooks Carter Davis Garcia Johnson Lee Martinez Miller Nguyen Robinson Williams"
                ),
                *_spelled("O'Malley=omalley St._John=stjohn"),
            ),
        ),
    )
    * 2,
    Region(
        "34",
        _spelled(
            "José=jose María=maria Íñigo=inigo Lucía=lucia Andrés=andres Sofía=sofia Raúl=raul Begoña=begona "
            "Jesús=jesus Inés=ines",
        ),
        _spelled(
            "García=garcia Muñoz=munoz López=lopez Núñez=nunez Pérez=perez Ibáñez=ibanez Gutiérrez=gutierrez "
            "de_la_Fuente=delafuente",
        ),
        language="es",
    ),
    Region(
        "525",
        _spelled(
            "Ángel=angel Ximena=ximena Jorge=jorge Guadalupe=guadalupe Héctor=hector Renata=renata Óscar=oscar "
            "Valeria=valeria",
        ),
        _spelled("Hernández=hernandez Ramírez=ramirez Peña=pena Vázquez=vazquez Cárdenas=cardenas Ríos=rios"),
        language="es",
    ),
    Region(
        "5511",
        _spelled(
            "João=joao Conceição=conceicao Luís=luis Antônio=antonio Letícia=leticia Thaís=thais Caio=caio"
        ),
        _spelled(
            "Gonçalves=goncalves Araújo=araujo Simões=simoes da_Silva=dasilva Magalhães=magalhaes Souza=souza"
        ),
        language="pt",
    ),
    Region(
        "336",
        _spelled(
            "Zoé=zoe François=francois Anaïs=anais Élodie=elodie Benoît=benoit Maëlle=maelle Jérôme=jerome "
            "Noémie=noemie",
        ),
        _spelled(
            "Lefèvre=lefevre D'Aubigné=daubigne Müller=muller Crépin=crepin Desrosiers=desrosiers Noël=noel"
        ),
        language="fr",
    ),
    Region(
        "4915",
        _spelled(
            "Jürgen=juergen Käthe=kaethe Björn=bjoern Lena=lena Sören=soeren Jörg=joerg Änne=aenne Matthias=matthias",
        ),
        _spelled(
            "Müller=mueller Strauß=strauss Schröder=schroeder Groß=gross Köhler=koehler von_der_Heide=vdheide"
        ),
        language="de",
    ),
    Region(
        "48",
        _spelled(
            "Łukasz=lukasz Żaneta=zaneta Paweł=pawel Małgorzata=malgorzata Michał=michal Zuzanna=zuzanna"
        ),
        _spelled("Wójcik=wojcik Kowalczyk=kowalczyk Dąbrowski=dabrowski Woźniak=wozniak Szczęsny=szczesny"),
    ),
    Region(
        "905",
        _spelled(
            "İbrahim=ibrahim Işıl=isil Çağla=cagla Ömer=omer Şule=sule Gökhan=gokhan Ayşe=ayse Yiğit=yigit"
        ),
        _spelled("Yılmaz=yilmaz Öztürk=ozturk Çelik=celik Şahin=sahin Güneş=gunes Aydın=aydin"),
    ),
    Region(
        "79",
        _spelled(
            "Анна=anna Дмитрий=dmitry Ольга=olga Сергей=sergey Наталья=natalya Алексей=alexey Юлия=yulia Фёдор=fedor",
        ),
        _spelled("Иванов=ivanov Кузнецова=kuznetsova Соколов=sokolov Попова=popova Щербаков=shcherbakov"),
        language="ru",
    ),
    Region(
        "306",
        _spelled("Ελένη=eleni Γιώργος=giorgos Μαρία=maria Νίκος=nikos Αγγελική=angeliki Δημήτρης=dimitris"),
        _spelled("Παπαδόπουλος=papadopoulos Γεωργίου=georgiou Νικολάου=nikolaou Αντωνίου=antoniou"),
    ),
    Region(
        "971",
        _spelled(
            "محمد=mohammed فاطمة=fatima أحمد=ahmed ليلى=layla يوسف=yousef مريم=maryam خالد=khalid نور=noor عمر=omar",
        ),
        _spelled("الهاشمي=alhashimi العلي=alali المنصوري=almansoori النجار=alnajjar حداد=haddad"),
        language="ar",
    ),
    Region(
        "972",
        _spelled("נועה=noa דוד=david יעל=yael אורי=uri תמר=tamar איתי=itay"),
        _spelled("כהן=cohen לוי=levi מזרחי=mizrahi פרידמן=friedman"),
    ),
    Region(
        "8613",
        _spelled("伟=wei 芳=fang 秀英=xiuying 敏=min 静=jing 磊=lei 建国=jianguo 晓明=xiaoming"),
        _spelled("王=wang 李=li 张=zhang 刘=liu 陈=chen 杨=yang 赵=zhao 欧阳=ouyang"),
        joint="",
        family_first=True,
        language="zh",
    ),
    Region(
        "819",
        _spelled("さくら=sakura 陽翔=haruto 結衣=yui 蓮=ren 美咲=misaki 大輔=daisuke ユキ=yuki"),
        _spelled("佐藤=sato 鈴木=suzuki 高橋=takahashi 田中=tanaka 渡辺=watanabe 小林=kobayashi"),
        family_first=True,
        language="ja",
    ),
    Region(
        "821",
        _spelled("민준=minjun 서연=seoyeon 지우=jiwoo 하은=haeun 도윤=doyun 수빈=subin"),
        _spelled("김=kim 이=lee 박=park 최=choi 정=jung 강=kang"),
        joint="",
        family_first=True,
    ),
    Region(
        "66",
        _spelled("สมชาย=somchai กมล=kamon อรุณี=arunee นภา=napa ธนา=thana มาลี=malee"),
        _spelled("ศรีสุข=srisuk แสงทอง=saengthong วงศ์ไทย=wongthai ใจดี=jaidee"),
    ),
    Region(
        "84",
        _spelled("Nguyệt=nguyet Đức=duc Hương=huong Thảo=thao Quân=quan Phượng=phuong"),
        _spelled("Nguyễn=nguyen Trần=tran Lê=le Phạm=pham Đặng=dang Huỳnh=huynh"),
        family_first=True,
    ),
    Region(
        "2348",
        _spelled(
            "Adébáyọ̀=adebayo Ngozi=ngozi Chinedu=chinedu Ọlámide=olamide Amara=amara Ṣadé=sade Emeka=emeka"
        ),
        _spelled("Okafor=okafor Adéyẹmí=adeyemi Balogun=balogun Eze=eze Nwosu=nwosu Ọbasanjọ́=obasanjo"),
    ),
    Region(
        "628",
        _plain("Agus Ayu Budi Dewi Eko Fitri Indah Putri Rizky Sari Wahyu Yudi"),
        _plain("Halim Hidayat Kusuma Lestari Pratama Santoso Setiawan Wijaya"),
    ),
)

EMOJI = ("✨", "🌸", "🔥", "🙏", "💎", "🇮🇳", "👩🏽‍💻", "🌍", "⚽", "🦋")

EMAIL_PROVIDERS = (
    "gmail.com",
    "gmail.com",
    "gmail.com",
    "outlook.com",
    "yahoo.com",
    "hotmail.com",
    "icloud.com",
    "proton.me",
    "fastmail.com",
    "gmx.net",
    "example.org",
)

COMPANIES = (
    "Blue Lotus Interiors",
    "Kaveri Foods Pvt. Ltd.",
    "Northwind Traders",
    "Agarwal & Sons",
    "D'Souza Realty",
    "O'Brien Plumbing",
    "Sunrise Dental Clinic",
    "Café Été",
    "Bäckerei Groß",
    "Panadería La Niña",
    "Łódź Logistics",
    "Çınar Tekstil",
    "ООО «Рассвет»",
    "شركة النخيل للتجارة",
    "深圳市晨光科技有限公司",
    "株式会社みどり",
    "한빛 스튜디오",
    "Studio नमस्ते",
    "Ελιά & Σία",
    "Nguyễn Coffee",
    "50% Off Outlet",
    "snake_case Labs",
    'The "Good" Bakery',
    "Back\\Slash Media",
    "Acme Corporation",
    "Globex",
    "Initech Solutions",
    "Umbrella Travel",
    "Evergreen Nursery",
    "Pixel & Pine",
    "Riverside Yoga 🧘",
    "Little Steps Preschool",
    "Quantum Fitness",
    "Harbour Legal LLP",
    "Zenith Motors",
    "Orchid Weddings",
    "TechNova",
    "Delhi Furniture House",
    "Mumbai Spice Co.",
    "Bengaluru Bikes",
    "Lagos Fresh Market",
    "Dubai Home Services",
    "Copper Kettle Catering",
    "Stone & Timber Homes",
    "Silverline Insurance",
    "Bright Minds Academy",
    "Wanderlust Holidays",
    "Fresh Fold Laundry",
    "Green Leaf Pharmacy",
    "Metro Pet Care",
)
